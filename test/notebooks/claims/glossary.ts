import assert from 'node:assert/strict';
import type { Claim } from '../claim';
import { commitIn, constant, versionFact } from '../facts';

export const CLAIMS: readonly Claim[] = [
  {
    says: 'Up to 4.8 it lay at the bottom of the kernel stack, where an overrun destroyed it; since 4.9 x86 has it in `task_struct`.',
    source: 'fact sheet, kernel stacks 1 and 5',
    holds: () => {
      commitIn('15f4eae70d36', '4.9');
      assert.deepEqual(
        ['3.14', '4.4', '4.9'].map((version) => versionFact(version).threadInfo),
        [104, 40, 8],
      );
    },
  },
  {
    says: 'On x86-64 it can be had since 4.9, and is on unless switched off.',
    source: 'fact sheet, kernel stacks 1',
    holds: () => {
      assert.deepEqual([versionFact('4.4').vmap, versionFact('4.9').vmap], [false, true]);
      commitIn('e37e43a497d5', '4.9');
    },
  },
  {
    says: 'and for some exceptions an error code; 48 bytes with it',
    source: 'SDM vol. 3, 6.14.2',
    holds: () => assert.equal(constant('exception frame with error code'), 6 * 8),
  },
];
