import assert from 'node:assert/strict';
import { overrun } from '../../lib/stack/overrun';

describe('SCHED_STACK_END_CHECK as a BUG(), from 3.18 to 4.3', () => {
  const checked = (kernel: string) =>
    overrun({
      ...{ era: '16k', kernel, stackEndCheck: true, past: 64, frames: 'dense' },
      neighbour: 'stack',
    });

  it('is an oops in the scheduler instead of a panic', () => {
    for (const kernel of ['3.18', '4.1']) {
      const { console, detector, phase } = checked(kernel);
      assert.deepEqual(console.slice(0, 3), [
        '------------[ cut here ]------------',
        'kernel BUG at kernel/sched/core.c!',
        'invalid opcode: 0000 [#1] SMP',
      ]);
      assert.match(
        console.find((line) => line.startsWith('RIP:'))!,
        / __schedule\+0x9f1\/0xa00$/,
      );
      assert.deepEqual({ detector, phase }, { detector: 'stack-end-check', phase: 'immediate' });
      assert.ok(!console.some((line) => /corrupted stack end/.test(line)));
    }
    assert.ok(
      checked('4.4').console.includes(
        'Kernel panic - not syncing: corrupted stack end detected inside scheduler',
      ),
    );
  });

  it('meets itself again in do_exit(), and takes the stack and what lies below with it', () => {
    const { console, machine, neighbour } = checked('4.1');
    assert.ok(console.includes('Fixing recursive fault but reboot is needed!'));
    const bugs = console.filter((line) => line.startsWith('kernel BUG')).length;
    assert.ok(bugs > 50, `${bugs}`);
    const changed = neighbour.after!.filter((byte, i) => byte !== neighbour.before![i]).length;
    assert.ok(changed > 1000, `${changed} bytes of the page below`);
    assert.notEqual(machine, 'alive');
  });
});
