// @ts-check
'use strict';
// Before `npm start` and `npm test`: on Windows, or with an old Node, one line says what to do.
// Plain syntax, so that an old Node reads it.
var obstacle = require('../setup/versions').obstacle(process.platform, process.versions.node);
if (obstacle) {
  process.stderr.write('guardpage: ' + obstacle + '\n');
  process.exit(1);
}
