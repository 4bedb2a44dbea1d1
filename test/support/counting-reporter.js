'use strict';
const fs = require('node:fs');
const { reporters } = require('mocha');

/** Lines of a failure's message that are said again at the end. */
const LINES = 12;

/**
 * Mocha's usual report; what it counted, and what failed, also goes to the file that
 * GUARDPAGE_COUNTS names.
 */
module.exports = class CountingReporter extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    const failed = this.failures.map((test) => {
      const message = String(test.err?.message ?? test.err).split('\n');
      return { title: test.titlePath().join(' › '), message: message.slice(0, LINES).join('\n') };
    });
    const report = { counts: { passed: passes, failed: failures, skipped: pending }, failed };
    fs.writeFileSync(process.env.GUARDPAGE_COUNTS, JSON.stringify(report));
  }
};
