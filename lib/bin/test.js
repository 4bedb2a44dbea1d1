// @ts-check
'use strict';
// `npm test`: sets up what is missing, then checks everything and counts.
require('./check');
require('../setup/tests').test(process.argv.slice(2));
