import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { occurrences, statementsIn, type Claim } from './claim';
import { COURSE } from './notebook';

function claimsOf(number: string): readonly Claim[] {
  const file = join(__dirname, 'claims', `${number}.ts`);
  if (!existsSync(file)) return [];
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (require(file) as { CLAIMS: readonly Claim[] }).CLAIMS;
}

describe('the claims of the course', () => {
  for (const { file, number, markdown } of COURSE) {
    const claims = claimsOf(number);

    describe(file, function () {
      this.timeout(60_000);

      it('stand in the notebook, each with its source', () => {
        for (const { says, source } of claims) {
          assert.ok(occurrences(markdown, says).length > 0, `not in the notebook: ${says}`);
          assert.ok(says.trim().split(/\s+/).length >= 3, `too short for a statement: ${says}`);
          assert.notEqual(source.trim(), '', says);
        }
      });

      it('cover every version, commit and constant with a value that the text names', () => {
        const covered = claims.flatMap(({ says }) => occurrences(markdown, says));
        const bare = statementsIn(markdown).filter(
          ({ start, end }) => !covered.some((claim) => claim.start <= start && claim.end >= end),
        );
        const told = bare.map(({ text, start }) => {
          const around = markdown.slice(Math.max(0, start - 50), start + 50);
          return `${text} in "…${around.replace(/\n/g, ' ')}…"`;
        });
        assert.deepEqual(told, []);
      });

      for (const { says, source, holds } of claims) {
        it(`${says.replace(/\s+/g, ' ').slice(0, 90)} (${source})`, holds);
      }
    });
  }
});

describe('statementsIn', () => {
  const texts = (markdown: string) => statementsIn(markdown).map(({ text }) => text);

  it('finds versions, commits and constants', () => {
    assert.deepEqual(texts('Linux 4.9 to 5.7, 2.6.32, 6.1-rc7 and v5.8. Since 6.19, `3.14`.'), [
      '4.9',
      '5.7',
      '2.6.32',
      '6.1-rc7',
      'v5.8',
      '6.19',
      '3.14',
    ]);
    assert.deepEqual(texts('commit ba14a194a434 (`e37e43a497d5`), c999a22'), [
      'ba14a194a434',
      'e37e43a497d5',
      'c999a22',
    ]);
    assert.deepEqual(texts('`THREAD_SIZE_ORDER` 2, STACK_END_MAGIC = 0x57AC6E9D'), [
      'THREAD_SIZE_ORDER` 2',
      'STACK_END_MAGIC = 0x57AC6E9D',
    ]);
  });

  it('leaves out quantities, sections of manuals, addresses and numbers', () => {
    assert.deepEqual(texts('3.5 KB in 4.2 ms, 3.1 % of 6.14 MB; 3.2 to 4.5 KB'), []);
    assert.deepEqual(texts('Intel SDM vol. 3, 6.14.5 and 6.15'), []);
    assert.deepEqual(texts('at ffffc900000bff58, 8528, 20140528083738.GL8554@dastard'), []);
  });
});
