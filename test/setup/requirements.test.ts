import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { locate } from '../../lib/setup/project';
import { readRequirements } from '../../lib/setup/requirements';

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,5})?$/);
const version = fc.stringMatching(/^[0-9]{1,4}\.[0-9]{1,3}(\.[0-9]{1,2})?(rc1|\.post2)?$/);
const marker = fc.constantFrom(
  '',
  " ; python_full_version < '3.11'",
  " ; sys_platform == 'darwin' and python_full_version >= '3.11'",
);
const requirement = fc.tuple(name, version, marker).map(([n, v, m]) => `${n}==${v}${m}`);

describe('readRequirements', () => {
  it('reads environment.yml as a YAML parser does', () => {
    const text = readFileSync(join(locate().root, 'environment.yml'), 'utf8');
    const last = parse(text).dependencies.at(-1) as { pip: string[] };
    assert.deepEqual(readRequirements(text), last.pip);
    assert.ok(last.pip.some((line) => line.startsWith('jupyterlab==4.')));
  });

  it('reads any list of pinned packages as a YAML parser does', () => {
    fc.assert(
      fc.property(fc.array(requirement, { minLength: 1 }), fc.boolean(), (pip, more) => {
        const dependencies = ['python=3.13', 'pip', { pip }, ...(more ? ['zlib'] : [])];
        const text = stringify({ name: 'x', dependencies }, { lineWidth: 0 });
        assert.deepEqual(readRequirements(text), parse(text).dependencies[2].pip);
      }),
    );
  });

  it('passes over comments and empty lines, and ends with the list', () => {
    const text = [
      'dependencies:',
      '  - pip: # the list',
      '      # what it is',
      '      - a==1.0',
      '',
      '      - b==2.0 ; os_name == "posix" # why',
      '  - zlib',
      'prefix: none',
    ].join('\r\n');
    assert.deepEqual(readRequirements(text), ['a==1.0', 'b==2.0 ; os_name == "posix"']);
  });

  it('names the line that pins no version', () => {
    for (const entry of ['a', 'a>=1', 'a==', '-r more.txt', 'git+https://example.org/a']) {
      assert.throws(() => readRequirements(`dependencies:\n  - pip:\n      - ${entry}\n`), {
        message: `environment.yml, line 3: expected "- name==version", got "- ${entry}"`,
      });
    }
    assert.throws(() => readRequirements('dependencies:\n  - python\n'), /no list under/);
  });
});
