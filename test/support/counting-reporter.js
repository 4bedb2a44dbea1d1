'use strict';
const fs = require('node:fs');
const { reporters } = require('mocha');

/** Mocha's usual report; what it counted also goes to the file that GUARDPAGE_COUNTS names. */
module.exports = class CountingReporter extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    const counts = { passed: passes, failed: failures, skipped: pending };
    fs.writeFileSync(process.env.GUARDPAGE_COUNTS, JSON.stringify(counts));
  }
};
