import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { childEnvironment } from '../../lib/setup/environment';
import { installKernelspecs, kernelspecsAreCurrent } from '../../lib/setup/kernelspecs';
import { wrongArgument } from '../../lib/setup/main';
import { locate } from '../../lib/setup/project';
import { nodeFits, obstacle } from '../../lib/setup/versions';
import { inTemporaryFolder, writeTree } from '../support/temporary';

describe('the versions of Node', () => {
  it('are those of package.json', () => {
    const file = join(locate().root, 'package.json');
    const { engines } = JSON.parse(readFileSync(file, 'utf8'));
    assert.equal(engines.node, '^20.19.0 || >=22.12.0');
    const fit = ['20.19.0', '20.20.2', '22.12.0', '22.13.1', '23.0.0', '24.1.0', '30.0.0'];
    const unfit = ['0.10.48', '12.22.12', '18.20.8', '20.18.3', '21.7.3', '22.11.0'];
    assert.deepEqual([...fit, ...unfit].filter(nodeFits), fit);
  });

  it('and Windows are told of in one line', () => {
    assert.equal(obstacle('linux', '22.12.0'), undefined);
    assert.equal(obstacle('darwin', '20.19.0'), undefined);
    assert.match(
      obstacle('linux', '18.20.8') ?? '',
      /^Node 20\.19 .* is needed; this is 18\.20\.8/,
    );
    assert.match(obstacle('win32', '22.12.0') ?? '', /WSL/);
  });
});

describe('npm start', () => {
  it('takes what the lab command takes', () => {
    for (const args of [[], ['--no-browser'], ['--port', '1'], ['--port=65535', '--no-browser']]) {
      assert.equal(wrongArgument(args), undefined);
    }
  });

  it('refuses the rest before anything is set up', () => {
    assert.equal(wrongArgument(['--prot', '3']), 'unknown argument --prot');
    for (const value of ['0', '65536', 'abc', '', '1e3', '-1']) {
      const message = `--port: expected a number from 1 to 65535, got ${value}`;
      assert.equal(wrongArgument(['--port', value]), message);
      assert.equal(wrongArgument([`--port=${value}`]), message);
    }
    assert.match(wrongArgument(['--port']) ?? '', /got nothing$/);
  });
});

describe('childEnvironment', () => {
  it('keeps what npm, pip and Jupyter write inside the project', () => {
    const project = locate('/somewhere/guardpage');
    const env = childEnvironment(project, { HOME: '/home/me', PATH: '/usr/bin' });
    const written = Object.entries(env).filter(([name]) => /(CACHE|_DIR$|IPYTHONDIR)/i.test(name));
    assert.ok(written.length >= 8);
    for (const [name, value] of written) {
      assert.ok(value?.startsWith(project.root + sep), `${name}=${value}`);
    }
  });

  it('keeps the way to the network and drops other Pythons and Jupyters', () => {
    const kept = { HTTPS_PROXY: 'http://proxy', PIP_INDEX_URL: 'http://mirror', PIP_CERT: '/c' };
    const foreign = { PYTHONHOME: '/p', PYTHONPATH: '/p', JUPYTER_PATH: '/j', PIP_TARGET: '/t' };
    const env = childEnvironment(locate('/somewhere'), { ...kept, ...foreign });
    for (const [name, value] of Object.entries(kept)) assert.equal(env[name], value);
    for (const name of Object.keys(foreign)) assert.equal(env[name], undefined);
  });
});

describe('a kernelspec', () => {
  const specs = [{ name: 'k', display: 'K', script: 'bin/k', args: ['{connection_file}'] }];

  it('is current as long as it is what would be written now', () =>
    inTemporaryFolder((folder) => {
      const project = locate(folder);
      assert.equal(kernelspecsAreCurrent(project, specs), false);
      installKernelspecs(project, specs);
      assert.equal(kernelspecsAreCurrent(project, specs), true);
      const file = join(project.kernels, 'k', 'kernel.json');
      const { argv } = JSON.parse(readFileSync(file, 'utf8'));
      assert.deepEqual(argv, [process.execPath, join(folder, 'bin/k'), '{connection_file}']);
      writeTree('/', { [file]: '{}' });
      assert.equal(kernelspecsAreCurrent(project, specs), false);
    }));
});
