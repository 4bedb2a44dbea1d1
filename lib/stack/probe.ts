import { hex, type VirtAddr } from '../x86/addr';
import { loadProbeModule } from './before-threads';
import { PT_REGS_SIZE } from './config';
import type { Machine } from './machine';
import {
  COMMANDS,
  KFN_FRAME,
  KT,
  KTHREAD_FRAME,
  KTHREAD_SHOULD_STOP,
  O2,
  OS,
  RC,
  WAIT,
} from './probe-frames';
import { wakeUpProcess } from './scheduler';
import { createTask, type Task } from './task';
import { TASK } from './task-struct';

/**
 * A kernel thread that sleeps until it is told to overrun its stack: the module with which the recordings
 * were made (test/fixtures/src/kstk.c), frame by frame as its compiled code lays them out.
 */
export interface Probe {
  readonly task: Task;
  /** Its struct kt, a slab object. */
  readonly kt: VirtAddr;
}

/** Starts a probe thread and lets it go to sleep in its main loop. */
export function startProbe(m: Machine, id: number): Probe | null {
  loadProbeModule(m);
  const kt = m.allocObject('kmalloc-128');
  if (kt === null) return null;
  const entry = m.text.named('ret_from_fork').address;
  const task = createTask(m, { kind: 'kthread', comm: `kstk/${id}`, entry, argument: kt });
  if (!task) return null;
  m.fill(kt, KT.SIZE, 0);
  m.store64(kt + KT.WQ_HEAD_NEXT, kt + KT.WQ_HEAD_NEXT);
  m.store64(kt + KT.WQ_HEAD_PREV, kt + KT.WQ_HEAD_NEXT);
  wakeUpProcess(m, task);
  m.run();
  return { task, kt };
}

/** What a probe is told to do. Lengths in bytes; `frame` is the alloca of one call. */
export type ProbeCommand =
  | {
      readonly do: 'recurse';
      readonly frame: number | bigint;
      readonly limit: VirtAddr;
      readonly dense: boolean;
    }
  | { readonly do: 'jump'; readonly frame: number | bigint }
  | {
      readonly do: 'poke' | 'peek';
      readonly address: VirtAddr;
      /** RSP at the access; where it stands unless given. */
      readonly rsp?: VirtAddr;
    };

/** Functions of the probe that make one frame with an alloca. */
type FrameFunction = 'jump' | 'recurse';

/** RSP once jump(), or the first recurse(), has saved its registers: below where the main loop stands. */
function enteredFrame(m: Machine, { task }: Probe, fn: FrameFunction): VirtAddr {
  const canary = m.config.STACKPROTECTOR ? 8n : 0n;
  const { saves } = (m.config.STACKPROTECTOR ? O2 : OS)[fn];
  const top = task.stack + BigInt(m.config.THREAD_SIZE);
  const loop = top - BigInt(PT_REGS_SIZE) - KTHREAD_FRAME - KFN_FRAME;
  return loop - 16n - BigInt(8 * saves.length) - canary;
}

/** The highest address at which the function's frame can end: alloca() takes at least 16 bytes. */
export function highestLanding(m: Machine, probe: Probe, fn: FrameFunction): VirtAddr {
  return enteredFrame(m, probe, fn) - 16n;
}

/**
 * The alloca with which jump(), or the first recurse(), ends with RSP at `landing`: its frame begins where
 * the sleeping thread's main loop stands.
 *
 * @throws RangeError if that is no alloca: `landing` above {@link highestLanding}
 */
export function allocaForLanding(
  m: Machine,
  probe: Probe,
  landing: VirtAddr,
  fn: FrameFunction = 'jump',
): bigint {
  const highest = highestLanding(m, probe, fn);
  if (landing > highest) {
    throw new RangeError(
      `landing: expected at most ${hex(highest)}, where the frame begins, got ${hex(landing)}`,
    );
  }
  // alloca() adds 15 and rounds down to 8.
  return enteredFrame(m, probe, fn) - landing - 8n;
}

/** The slab object that the probe's code may write to. */
export function ownMemory({ kt }: Probe): { start: VirtAddr; end: VirtAddr } {
  return { start: kt, end: kt + BigInt(KT.SIZE) };
}

/** Writes the command into struct kt; the probe carries it out when it is woken. */
export function command(m: Machine, { kt, task }: Probe, what: ProbeCommand): void {
  const rc = kt + KT.RC;
  m.store64(rc + RC.BASE, task.stack);
  if (what.do === 'recurse') {
    m.store64(rc + RC.LIMIT, what.limit);
    m.store64(rc + RC.FRAME, BigInt(what.frame));
    m.store64(rc + RC.FILL, what.dense ? 1n : 0n);
  } else if (what.do === 'jump') {
    m.store64(rc + RC.FRAME, BigInt(what.frame));
  } else {
    m.store64(kt + KT.A0, what.address);
    m.store64(kt + KT.A1, what.rsp ?? 0n);
    m.store32(kt + KT.RSP_GIVEN, what.rsp === undefined ? 0 : 1);
  }
  m.store32(kt + KT.CMD, COMMANDS[what.do]);
}

/** wake_up(&k->wq): calls the function that the wait_queue_entry on the sleeper's stack names. */
export function wakeProbe(m: Machine, { kt, task }: Probe): void {
  const entry = m.load64(kt + KT.WQ_HEAD_NEXT);
  if (entry === kt + KT.WQ_HEAD_NEXT) wakeUpProcess(m, task);
  else
    m.callFromIdle(m.load64(entry - WAIT.ENTRY + WAIT.FUNC), entry - WAIT.ENTRY, task.taskStruct);
  m.run();
}

/** kthread_stop(), by whoever is running: tells the thread to end and wakes it. */
export function stopProbe(m: Machine, { task }: Probe): void {
  const kthread = m.load64(task.taskStruct + TASK.WORKER_PRIVATE);
  m.store32(kthread, m.load32(kthread) | KTHREAD_SHOULD_STOP);
  wakeUpProcess(m, task);
}
