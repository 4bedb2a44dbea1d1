// @ts-check
'use strict';

/** Something the reader can mend: one line that says what is wrong and what to do. */
class Problem extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'Problem';
  }
}

/**
 * @typedef {object} Failure a program of the set-up that failed
 * @property {string} what it was to do, as the progress names it
 * @property {string} output what it said, or the last part of it
 * @property {number | null} [code] its exit code, null if a signal ended it
 * @property {string} [log] where all it said can be read
 * @property {string} root the project's folder
 */

/**
 * The first pattern that fits what a program said tells what went wrong: most specific first.
 *
 * @type {readonly { pattern: RegExp, say: (match: RegExpExecArray, failure: Failure) => string }[]}
 */
const KNOWN = [
  {
    pattern: /ENOSPC|EDQUOT|no space left on device|disk quota exceeded/i,
    say: (_match, { root }) =>
      `the disk that holds ${root} is full: the set-up takes about 1 GB; make room`,
  },
  {
    pattern: /ensurepip is not\s+available|No module named '?(ensurepip|venv)/i,
    say: () =>
      "this Python lacks its venv part: install it (Debian, Ubuntu: 'sudo apt install python3-venv')",
  },
  {
    pattern:
      /CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF)|unable to get local issuer/,
    say: () =>
      'a server showed a certificate that is not trusted here; behind a company proxy, name its ' +
      'certificate file in NODE_EXTRA_CA_CERTS and PIP_CERT',
  },
  {
    pattern:
      /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT)\b|(NewConnection|ConnectTimeout|ReadTimeout|NameResolution|Proxy)Error|Tunnel connection failed|Network is unreachable|name resolution|Name or service not known/i,
    say: (match, { what }) =>
      `no network while getting ${what} (${match[0]}): connect, or set HTTPS_PROXY if a proxy is needed`,
  },
  {
    pattern: /\bEINTEGRITY\b|THESE PACKAGES DO NOT MATCH THE HASHES/,
    say: (_match, { what }) => `${what}: a download came damaged`,
  },
  {
    pattern: /\bE404\b|\bETARGET\b|No matching distribution found for (\S+)/,
    say: (match, { what }) =>
      `${what}: ${match[1] ?? 'a package'} is not to be had for this machine from the package index in use; ` +
      'Python 3.10 to 3.14 on Linux and macOS is what the versions are pinned for',
  },
  {
    pattern: /package-lock\.json.* (are|is) not in sync|npm ci` can only install/s,
    say: () => "package.json and package-lock.json do not agree: run 'npm install' once",
  },
  {
    pattern: /\b(EACCES|EPERM|EROFS)\b|Permission denied|Read-only file system/,
    say: (match, { root }) =>
      `no permission to write in ${root} (${match[0]}): make the folder yours`,
  },
  {
    pattern: /\bENOMEM\b|out of memory|Cannot allocate memory/i,
    say: () => 'not enough memory: close other programs',
  },
];

/**
 * @param {Failure} failure
 * @returns {Problem}
 */
function explain(failure) {
  const { what, output, code, log } = failure;
  const again = "then 'npm start' goes on from here";
  for (const { pattern, say } of KNOWN) {
    const match = pattern.exec(output);
    if (match) return new Problem(`${say(match, failure)}; ${again}`);
  }
  const last = output.trimEnd().split('\n').at(-1)?.trim() ?? '';
  const how = code === null ? 'was ended by a signal' : `failed (exit code ${code})`;
  return new Problem(`${what} ${how}: ${last}${log ? ` (all of it in ${log})` : ''}`);
}

/**
 * The same for an error of Node's own (a full disk while we write, a folder that is not ours).
 *
 * @param {unknown} error
 * @param {{ what: string, root: string }} context
 * @returns {Problem | undefined} undefined if it is none that a reader could mend
 */
function explainError(error, { what, root }) {
  if (error instanceof Problem) return error;
  const code = /** @type {NodeJS.ErrnoException} */ (error)?.code;
  if (!code || !/^(ENOSPC|EDQUOT|EACCES|EPERM|EROFS|ENOMEM)$/.test(code)) return undefined;
  return explain({ what, root, output: code });
}

module.exports = { Problem, explain, explainError };
