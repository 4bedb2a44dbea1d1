#!/usr/bin/env node
// @ts-check
'use strict';
// `npm start`: sets up what is missing, then opens JupyterLab. Plain syntax up to the check of
// the Node version, so that an old Node says what it lacks.
var obstacle = require('../setup/versions').obstacle(process.platform, process.versions.node);
if (obstacle) {
  process.stderr.write('guardpage: ' + obstacle + '\n');
  process.exit(1);
}
require('../setup/main').start(process.argv.slice(2));
