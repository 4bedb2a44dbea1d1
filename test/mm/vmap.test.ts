import fc from 'fast-check';
import { Random } from '../../lib/random';
import { effort } from '../support/effort';
import { runVmap, VmapModel } from './vmap-model';

/** One version for each set of rules. */
const VERSIONS = ['2.6.32', '3.14', '4.9', '4.13', '5.2', '5.5', '5.11', '5.16', '6.1', '6.19'];

type Command = fc.Command<object, { model: VmapModel }>;

const aligns = fc.constantFrom(1, 4096, 16384, 65536);

const commands = fc.commands(
  [
    fc
      .tuple(fc.integer({ min: 1, max: 900 }), aligns, fc.integer({ min: 900, max: 4000 }))
      .map(([size, align, start]): Command => ({
        check: () => true,
        run: (_, { model }) => model.allocate(size, align, Math.max(1000, start)),
        toString: () => `allocate(${size}, ${align}, ${start})`,
      })),
    fc.constant<Command>({
      check: () => true,
      run: (_, { model }) => model.allocate(5, 16384),
      toString: () => 'allocate a stack',
    }),
    fc.nat().map((index): Command => ({
      check: () => true,
      run: (_, { model }) => model.free(index),
      toString: () => `free(${index})`,
    })),
    fc.constant<Command>({
      check: () => true,
      run: (_, { model }) => model.purge(),
      toString: () => 'purge',
    }),
    fc.constant<Command>({
      check: () => true,
      run: (_, { model }) => model.check(),
      toString: () => 'check',
    }),
  ],
  { maxCommands: 80 },
);

describe('addresses of vmalloc areas', () => {
  it('agree with a sorted list after any commands, in both search orders', () => {
    fc.assert(
      fc.property(fc.constantFrom(...VERSIONS), commands, (version, run) => {
        const model = new VmapModel(version);
        fc.modelRun(() => ({ model: {}, real: { model } }), run);
        model.check();
      }),
      effort(150),
    );
  });

  for (const version of VERSIONS) {
    it(`agree with a sorted list over random operations by the rules of ${version}`, () => {
      const { seed, numRuns: operations } = effort(10_000);
      runVmap(new VmapModel(version), new Random(seed), operations);
    });
  }
});
