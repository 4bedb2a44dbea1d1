import { kernelConfig, type Era, type KernelOptions } from '../../lib/stack/config';
import { Machine } from '../../lib/stack/machine';
import { command, startProbe, wakeProbe, type Probe } from '../../lib/stack/probe';
import { TASK } from '../../lib/stack/task-struct';
import { wakeUpProcess } from '../../lib/stack/scheduler';

export interface Lab {
  readonly m: Machine;
  readonly probe: Probe;
}

/** A machine with one sleeping thread, pid 85. */
export function lab(kernel: string, options: KernelOptions = {}): Lab {
  const era: Era = ['2.6.32', '3.6', '3.14'].includes(kernel)
    ? '8k'
    : ['3.15', '4.4', '4.8'].includes(kernel)
      ? '16k'
      : 'vmap';
  const m = new Machine(kernelConfig(era, { kernel, ...options }));
  m.nextPid = 85;
  return { m, probe: startProbe(m, 0)! };
}

/** What the console says when the thread loads from or stores to `address`. */
export function touch(kernel: string, address: bigint, what: 'peek' | 'poke' = 'poke'): string[] {
  const { m, probe } = lab(kernel);
  command(m, probe, { do: what, address });
  wakeProbe(m, probe);
  return m.console;
}

/** What it says when the sleeping thread's main loop returns to `address`. */
export function returnTo(
  kernel: string,
  address: (l: Lab) => bigint,
  options: KernelOptions = {},
): Lab {
  const it = lab(kernel, { stackProtector: false, ...options });
  const { m, probe } = it;
  // schedule()'s return address into kfn: found on the sleeper's stack.
  const sp = m.peek64(probe.task.taskStruct + TASK.THREAD_SP)!;
  const kfn = m.text.named('kfn');
  for (let slot = sp; ; slot += 8n) {
    const word = m.peek64(slot)!;
    if (word > kfn.address && word < kfn.address + BigInt(kfn.size)) {
      m.store64(slot, address(it));
      break;
    }
  }
  wakeUpProcess(m, probe.task);
  m.run();
  return it;
}
