// @ts-check
'use strict';
// `npm start`: sets up what is missing, then opens JupyterLab.
require('./check');
require('../setup/main').start(process.argv.slice(2));
