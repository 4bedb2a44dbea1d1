import assert from 'node:assert/strict';
import fc from 'fast-check';
import { experiment, experiments } from '../../lib/experiments';
import type { ExperimentResult } from '../../lib/experiments/experiment';
import type { ParameterValues } from '../../lib/experiments/parameters';
import { tableText } from '../../lib/experiments/table';
import { SMALL } from '../figures/all-figures';

for (const one of experiments) {
  describe(`experiment ${one.name}`, function () {
    this.timeout(120_000);
    const { name, parameters, run } = one;
    const small = SMALL[name];
    let result: ExperimentResult;

    before(() => {
      result = run(small, 7);
    });

    it('gives the same bytes for the same seed', () => {
      assert.equal(JSON.stringify(run(small, 7)), JSON.stringify(result));
      const { table } = result;
      assert.ok(table.rows.length > 0);
      const keys = table.columns.map(({ key }) => key);
      assert.equal(new Set(keys).size, keys.length);
      assert.equal(keys[0], 'evidence');
      for (const row of table.rows) {
        assert.deepEqual(Object.keys(row).sort(), [...keys].sort());
        assert.match(String(row.evidence), /^(model|recorded|estimate)$/);
        for (const [key, cell] of Object.entries(row)) {
          if (typeof cell === 'number') assert.ok(Number.isFinite(cell), `${key}: ${cell}`);
          else assert.ok(cell === null || typeof cell === 'string', `${key}: ${typeof cell}`);
        }
      }
    });

    it('is run again by the command that its result names', () => {
      const match = /^npx guardpage experiment (\S+) --seed (\d+)((?: --set \S+=.+)*)$/.exec(
        result.command,
      );
      assert.ok(match, result.command);
      const set: Record<string, string | number> = {};
      for (const [, key, value] of match[3].matchAll(/--set (\w+)=(\S+)/g)) {
        set[key] = parameters[key].kind === 'number' ? Number(value) : value;
      }
      const again = experiment(match[1]).run(set, Number(match[2]));
      assert.deepEqual(again, result);
    });

    it('asks one question, says what it leaves out, and prints as a table', () => {
      assert.match(one.question, /^[A-Z][^?]*\?$/);
      assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.ok(one.notes.length > 0 && one.title !== '');
      const text = tableText(result.table).split('\n');
      assert.match(text[0], /^from {2,}\S/);
    });

    it('refuses parameters out of range, unknown ones and bad seeds, and names them', () => {
      for (const [key, parameter] of Object.entries(parameters)) {
        const wrong: (string | number)[] =
          parameter.kind === 'choice'
            ? ['no such choice', 1]
            : [parameter.min - 1, parameter.max + 1, parameter.min + 0.5, NaN, '12'];
        for (const value of wrong) {
          assert.throws(
            () => run({ [key]: value }, 1),
            (error: Error) =>
              error instanceof RangeError && error.message.startsWith(`${key}: expected `),
            `${key}=${value}`,
          );
        }
        if (parameter.kind === 'number') {
          assert.ok(parameter.min <= parameter.default && parameter.default <= parameter.max);
        } else assert.ok(parameter.choices.includes(parameter.default));
      }
      assert.throws(() => run({ nonsense: 1 } as ParameterValues, 1), /^RangeError: nonsense: /);
      for (const seed of [-1, 1.5, 2 ** 31, NaN]) {
        assert.throws(() => run(small, seed), /^RangeError: seed: expected /);
      }
    });
  });
}

describe('experiment()', () => {
  it('finds each by its name', () => {
    assert.equal(new Set(experiments.map(({ name }) => name)).size, experiments.length);
    for (const one of experiments) assert.equal(experiment(one.name), one);
  });

  it('suggests the right name for any single slip of the finger', () => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz-'];
    fc.assert(
      fc.property(
        fc.constantFrom(...experiments.map(({ name }) => name)),
        fc.nat(),
        fc.constantFrom(...letters),
        fc.constantFrom('insert', 'delete', 'replace'),
        (name, at, letter, slip) => {
          const i = at % name.length;
          const wrong =
            name.slice(0, i) +
            (slip === 'delete' ? '' : letter) +
            name.slice(slip === 'insert' ? i : i + 1);
          if (wrong === name) return;
          assert.throws(
            () => experiment(wrong),
            (error: Error) => error instanceof RangeError && error.message.includes(`${name}`),
          );
        },
      ),
    );
  });

  it('names them all when nothing is near', () => {
    assert.throws(() => experiment('zzzzzzzz'), /outcome-by-era, victim-by-neighbour/);
  });
});
