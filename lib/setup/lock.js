// @ts-check
'use strict';
const fs = require('node:fs');
const path = require('node:path');

/** The owner touches its lock this often … */
const BEAT_MS = 2_000;

/** … and one that nobody has touched for this long is left over. */
const DEAD_MS = 20_000;

/**
 * Runs `work` while no other set-up of this folder runs. The lock of a process that has died is
 * taken over: at once if its number is free, else (the number may be another's by now) when
 * nobody has touched the lock for a while. That while is counted here, not by the clock, so that
 * a computer that slept takes no living lock for a dead one.
 *
 * @template T
 * @param {string} file the lock, which holds its owner's process number
 * @param {() => Promise<T>} work
 * @param {object} [options]
 * @param {(owner: number) => void} [options.onWait] told once, if another owns it
 * @param {number} [options.pollMs]
 * @param {number} [options.deadMs]
 * @returns {Promise<T>}
 */
async function withLock(file, work, { onWait, pollMs = 250, deadMs = DEAD_MS } = {}) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  let touched = -1;
  let unchangedMs = 0;
  let told = false;
  while (!take(file)) {
    const seen = look(file);
    if (seen) {
      unchangedMs = seen.touched === touched ? unchangedMs + pollMs : 0;
      touched = seen.touched;
      if ((seen.owner > 0 && !isAlive(seen.owner)) || unchangedMs >= deadMs) {
        breakLock(file, seen.touched, deadMs);
        continue;
      }
      if (!told && seen.owner > 0) {
        told = true;
        onWait?.(seen.owner);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  const beat = setInterval(() => touch(file), BEAT_MS);
  beat.unref();
  const release = () => {
    if (look(file)?.owner === process.pid) fs.rmSync(file, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    process.removeListener('exit', release);
    release();
  }
}

/**
 * As {@link withLock}, for work of milliseconds that cannot wait otherwise than by standing still.
 *
 * @template T
 * @param {string} file
 * @param {() => T} work
 * @param {object} [options]
 * @param {number} [options.pollMs]
 * @param {number} [options.deadMs] long against the work
 * @returns {T}
 * @throws {Error} of the file system, where the lock cannot be written
 */
function withLockSync(file, work, { pollMs = 5, deadMs = 3_000 } = {}) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  let touched = -1;
  let unchangedMs = 0;
  while (!take(file)) {
    const seen = look(file);
    if (seen) {
      unchangedMs = seen.touched === touched ? unchangedMs + pollMs : 0;
      touched = seen.touched;
      if ((seen.owner > 0 && !isAlive(seen.owner)) || unchangedMs >= deadMs) {
        breakLock(file, seen.touched, deadMs);
        continue;
      }
    }
    Atomics.wait(sleeper, 0, 0, pollMs);
  }
  try {
    return work();
  } finally {
    if (look(file)?.owner === process.pid) fs.rmSync(file, { force: true });
  }
}

/** @param {string} file */
function take(file) {
  try {
    fs.writeFileSync(file, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

/** @param {string} file */
function touch(file) {
  try {
    fs.utimesSync(file, new Date(), new Date());
  } catch {
    // Removed under us: the work goes on, only unlocked.
  }
}

/**
 * @param {string} file
 * @returns {{ owner: number, touched: number } | undefined} undefined if it has just gone;
 *   owner 0 if it is just being written
 */
function look(file) {
  try {
    const touched = fs.statSync(file).mtimeMs;
    return { owner: Number.parseInt(fs.readFileSync(file, 'utf8'), 10) || 0, touched };
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * Removes a left-over lock, one process at a time: else a slow one could remove the lock that a
 * quick one has just taken.
 *
 * @param {string} file
 * @param {number} touched when the left-over one was last touched
 * @param {number} deadMs
 */
function breakLock(file, touched, deadMs) {
  const breaking = `${file}.breaking`;
  try {
    fs.closeSync(fs.openSync(breaking, 'wx'));
  } catch {
    const stat = fs.statSync(breaking, { throwIfNoEntry: false });
    if (stat && Date.now() - stat.mtimeMs > deadMs) fs.rmSync(breaking, { force: true });
    return;
  }
  try {
    if (look(file)?.touched === touched) fs.rmSync(file, { force: true });
  } finally {
    fs.rmSync(breaking, { force: true });
  }
}

module.exports = { withLock, withLockSync };
