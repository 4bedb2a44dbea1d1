#!/usr/bin/env node
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const cli = path.join(__dirname, '..', 'dist', 'cli.js');
if (!fs.existsSync(cli)) {
  process.stderr.write("guardpage: nothing is set up yet: run 'npm start' first\n");
  process.exit(2);
}
const { main } = require(cli);

// A reader such as `head` may close the pipe early; that is no failure.
process.stdout.on('error', (error) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`guardpage: can't write to standard output: ${error.message}\n`);
  process.exit(1);
});
// Nobody can be told that nobody can be told; the exit code still says how it went.
process.stderr.on('error', () => {});

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    const what = error instanceof Error ? error.stack : error;
    process.stderr.write(`guardpage: unexpected error, please report it: ${what}\n`);
    process.exitCode = 1;
  },
);
