import assert from 'node:assert/strict';
import { explain, explainError, Problem } from '../../lib/setup/problem';

/** What the programs say, shortened, and what the reader is told. */
const CASES: readonly { said: string; told: RegExp }[] = [
  {
    said: 'npm error code EAI_AGAIN\nnpm error syscall getaddrinfo\nnpm error request to https://example.org/mocha failed, reason: getaddrinfo EAI_AGAIN example.org',
    told: /^no network while getting npm packages \(EAI_AGAIN\): connect, or set HTTPS_PROXY/,
  },
  {
    said: "WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError(': Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')'\nERROR: Could not find a version that satisfies the requirement anyio==4.16.0 (from versions: none)\nERROR: No matching distribution found for anyio==4.16.0",
    told: /^no network while getting npm packages/,
  },
  {
    said: 'npm error code ENOSPC\nnpm error syscall write\nnpm error errno -28\nnpm error nospc ENOSPC: no space left on device, write',
    told: /^the disk that holds \/home\/me\/guardpage is full: .*make room/,
  },
  {
    said: "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device: '/x'",
    told: /^the disk that holds \/home\/me\/guardpage is full/,
  },
  {
    said: 'The virtual environment was not created successfully because ensurepip is not\navailable.  On Debian/Ubuntu systems, you need to install the python3-venv\npackage using the following command.\n\n    apt install python3.11-venv',
    told: /^this Python lacks its venv part: install it .*python3-venv/,
  },
  {
    said: 'npm error code SELF_SIGNED_CERT_IN_CHAIN\nnpm error self-signed certificate in certificate chain',
    told: /certificate that is not trusted here; .*NODE_EXTRA_CA_CERTS/,
  },
  {
    said: 'SSLError(SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")))',
    told: /certificate that is not trusted here/,
  },
  {
    said: 'ERROR: Could not find a version that satisfies the requirement debugpy==1.8.22 (from versions: 1.5.0)\nERROR: No matching distribution found for debugpy==1.8.22',
    told: /debugpy==1\.8\.22 is not to be had for this machine/,
  },
  {
    said: 'npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install packages when your package.json and package-lock.json are in sync.',
    told: /do not agree: run 'npm install' once/,
  },
  {
    said: "npm error code EACCES\nnpm error Error: EACCES: permission denied, mkdir '/x'",
    told: /^no permission to write in \/home\/me\/guardpage \(EACCES\)/,
  },
];

const FAILURE = { what: 'npm packages', code: 1, root: '/home/me/guardpage', log: '/x/npm.log' };

describe('explain', () => {
  for (const { said, told } of CASES) {
    it(`tells one line from: ${said.split('\n', 1)[0].slice(0, 60)}`, () => {
      const { message } = explain({ ...FAILURE, output: said });
      assert.match(message, told);
      assert.match(message, /; then 'npm start' goes on from here$/);
      assert.ok(!message.includes('\n'));
    });
  }

  it('names the last line and the log of a failure that it does not know', () => {
    const { message } = explain({ ...FAILURE, output: 'first\nthe gremlins did it\n\n' });
    assert.equal(
      message,
      'npm packages failed (exit code 1): the gremlins did it (all of it in /x/npm.log)',
    );
  });

  it('says that a signal ended a program', () => {
    const { message } = explain({ ...FAILURE, code: null, output: 'so far\n' });
    assert.match(message, /^npm packages was ended by a signal: so far/);
  });
});

describe('explainError', () => {
  const context = { what: 'the set-up', root: '/home/me/guardpage' };

  it("tells of Node's own errors that a reader can mend, and of no others", () => {
    const full = Object.assign(new Error('write'), { code: 'ENOSPC' });
    assert.match(explainError(full, context)?.message ?? '', /is full/);
    assert.equal(explainError(Object.assign(new Error(), { code: 'EBADF' }), context), undefined);
    assert.equal(explainError(new TypeError('a bug'), context), undefined);
    const problem = new Problem('told already');
    assert.equal(explainError(problem, context), problem);
  });
});
