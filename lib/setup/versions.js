// @ts-check
'use strict';
// Read by whatever Node a reader has, however old: plain syntax, nothing required.

/**
 * Whether this Node can run the project: ^20.19 or >=22.12, as package.json says.
 *
 * @param {string} version such as "20.19.4"
 * @returns {boolean}
 */
function nodeFits(version) {
  var parts = version.split('.').map(Number);
  if (parts[0] === 20) return parts[1] >= 19;
  if (parts[0] === 22) return parts[1] >= 12;
  return parts[0] > 22;
}

/**
 * What keeps the project from running here at all.
 *
 * @param {string} platform as process.platform
 * @param {string} version as process.versions.node
 * @returns {string | undefined} one line, undefined if all is well
 */
function obstacle(platform, version) {
  if (platform === 'win32') {
    return 'Windows itself is not supported: run it in WSL (wsl --install, then clone the project there)';
  }
  if (!nodeFits(version)) {
    return (
      'Node 20.19 or later, or 22.12 or later, is needed; this is ' +
      version +
      ": install one (nodejs.org, or 'nvm install 22'), then 'npm start' goes on from here"
    );
  }
  return undefined;
}

module.exports = { nodeFits: nodeFits, obstacle: obstacle };
