// @ts-check
'use strict';
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

/**
 * A hash of what the named files and folders hold and of how they are called. What does not
 * exist counts as empty.
 *
 * @param {string} root names are relative to it, so that a moved project keeps its hashes
 * @param {readonly string[]} names files or folders
 * @param {(name: string) => boolean} [wanted] decides by the name relative to `root`
 * @returns {string}
 */
function hashOf(root, names, wanted = () => true) {
  const hash = createHash('sha256');
  const visit = (/** @type {string} */ name) => {
    const file = path.join(root, name);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (!stat) return;
    if (stat.isDirectory()) {
      for (const entry of fs.readdirSync(file).sort()) {
        if (entry !== 'node_modules') visit(path.join(name, entry));
      }
    } else if (wanted(name)) {
      hash.update(`${name}\0${stat.size}\0`).update(fs.readFileSync(file));
    }
  };
  for (const name of names) visit(name);
  return hash.digest('hex');
}

/**
 * What a finished step noted in the thing it made.
 *
 * @param {string} file
 * @returns {Record<string, string>} empty if there is none, or it cannot be read
 */
function readStamp(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

/**
 * @param {string} file
 * @param {Record<string, string>} content
 */
function writeStamp(file, content) {
  writeAtomically(file, `${JSON.stringify(content, null, 2)}\n`);
}

/**
 * Writes under another name and renames, so that a reader never sees half a file.
 *
 * @param {string} file
 * @param {string} text
 */
function writeAtomically(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const half = `${file}.${process.pid}.half`;
  try {
    fs.writeFileSync(half, text);
    fs.renameSync(half, file);
  } catch (error) {
    fs.rmSync(half, { force: true });
    throw error;
  }
}

/**
 * Puts a finished folder where an older one may be.
 *
 * @param {string} made a folder of the same file system; the older one goes beside it
 * @param {string} place
 */
function replaceFolder(made, place) {
  const old = `${made}.old`;
  fs.mkdirSync(path.dirname(place), { recursive: true });
  if (fs.existsSync(place)) fs.renameSync(place, old);
  fs.renameSync(made, place);
  fs.rmSync(old, { recursive: true, force: true });
}

module.exports = { hashOf, readStamp, writeStamp, writeAtomically, replaceFolder };
