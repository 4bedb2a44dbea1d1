// @ts-check
'use strict';

/**
 * The pinned packages that environment.yml lists under `pip`. Only the plain form that file has
 * is read: one `- name==version` a line, with an environment marker or a comment after it.
 *
 * @param {string} text environment.yml
 * @returns {string[]} lines for pip's requirements file
 * @throws {Error} if there is no such list, or an entry pins no version
 */
function readRequirements(text) {
  /** @type {string[]} */
  const found = [];
  let indent = -1;
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const content = line.replace(/(^|\s)#.*$/, '').trimEnd();
    if (content === '') continue;
    const depth = content.length - content.trimStart().length;
    if (/^\s*-\s+pip:$/.test(content)) {
      indent = depth;
      continue;
    }
    if (indent < 0) continue;
    if (depth <= indent) break;
    const entry = /^\s*-\s+(["']?)(.+)\1$/.exec(content);
    if (!entry || !/^[A-Za-z0-9][A-Za-z0-9._-]*==[^\s;]+(\s*;.+)?$/.test(entry[2])) {
      throw new Error(
        `environment.yml, line ${i + 1}: expected "- name==version", got "${content.trim()}"`,
      );
    }
    found.push(entry[2]);
  }
  if (found.length === 0) throw new Error('environment.yml: no list under "- pip:"');
  return found;
}

module.exports = { readRequirements };
