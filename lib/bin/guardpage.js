#!/usr/bin/env node
'use strict';
const { main } = require('../dist/cli.js');

// A reader such as `head` may close the pipe early; that is no failure.
process.stdout.on('error', (error) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    process.stderr.write(`guardpage: ${error instanceof Error ? error.stack : error}\n`);
    process.exitCode = 1;
  },
);
