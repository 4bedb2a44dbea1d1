import { hex, type VirtAddr } from '../x86/addr';
import type { GprName } from '../x86/cpu';
import { PT_REGS_SIZE } from './config';
import { loadProbeModule } from './before-threads';
import { kasanAccess } from './detectors/kasan-report';
import type { Machine } from './machine';
import { popCanary, pushCanary, wakeUpProcess } from './scheduler';
import { createTask, currentTaskStruct, type Task } from './task';
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

/** Offsets in struct kt, as the compiler places them. RSP_GIVEN, a 32-bit word, lies in the padding before a0. */
const KT = {
  WQ_HEAD_NEXT: 16n,
  WQ_HEAD_PREV: 24n,
  CMD: 36n,
  DONE: 40n,
  RSP_GIVEN: 44n,
  A0: 48n,
  A1: 56n,
  RC: 64n,
  SIZE: 112,
} as const;

/** Offsets in struct rc, which lies inside struct kt. */
const RC = { LIMIT: 0n, FRAME: 8n, DEEPEST: 16n, BASE: 24n, DEPTH: 32n, FILL: 40n } as const;

/** Offsets in struct wait_queue_entry, a local of the thread's main loop. */
const WAIT = { FUNC: 16n, ENTRY: 24n, ENTRY_PREV: 32n, SIZE: 40n } as const;

const COMMANDS = { recurse: 1, jump: 2, poke: 3, peek: 4 } as const;

/** What a dense frame is filled with, and what a poke stores. */
export const DENSE_BYTE = 0xa5;
export const POKE_VALUE = 0x4141414141414141n;

const MODULE = 'kstk';
const KTHREAD_SAVES = ['rbp', 'r14', 'r12', 'rbx'] as const;
const KFN_SAVES = ['rbp', 'r14', 'r13', 'r12', 'rbx'] as const;
const KFN_RESTORES = [...KFN_SAVES].reverse();

/** Lays out the module's functions and the kernel's kthread(), which calls them. */
export function defineProbe({ text, config }: Machine): void {
  const fork = text.define('ret_from_fork', 0x30);
  const kthread = text.define('kthread', 0x100);
  const kfn = text.define('kfn', 0x170, MODULE);
  const recurse = text.define('recurse', 0xb0, MODULE);
  const jump = text.define('jump', 0xa0, MODULE);
  const leaf = text.define('leaf', 0x30, MODULE);
  const schedule = text.define('schedule', 0xd0);
  const wakeFunction = text.define('autoremove_wake_function', 0x40);

  const afterKthread = text.at(fork, 0x22, (m) => m.raiseInvalidOpcode());
  text.at(fork, 0, (m) => m.call(kthread.address, afterKthread));

  const doExit = text.define('do_exit', 0x900);
  const afterKfn = text.at(kthread, 0xda, (m) => {
    m.cpu.rip = doExit.address;
  });
  text.at(kthread, 0, (m) => {
    m.pushAll(KTHREAD_SAVES);
    m.cpu.rsp -= 8n; // struct completion's flags and alignment
    m.call(kfn.address, afterKfn);
  });

  // kfn: 5 saved registers, the canary (or 8 bytes not used), a wait_queue_entry; RBX = R14 = kt, R13 = its wait queue.
  text.at(kfn, 0, (m) => {
    const { gpr } = m.cpu;
    const kt = gpr.rbx;
    m.pushAll(KFN_SAVES);
    if (m.config.STACKPROTECTOR) pushCanary(m);
    else m.cpu.rsp -= 8n;
    m.cpu.rsp -= WAIT.SIZE;
    gpr.r14 = kt;
    gpr.r13 = kt + 8n;
    m.cpu.rip = loop;
  });
  const loop = text.at(kfn, 0x60, (m) => {
    const { gpr } = m.cpu;
    const kt = gpr.rbx;
    const command = m.load32(kt + KT.CMD);
    if (command !== 0) m.watch = m.nextWatch;
    if (command === 0 && shouldStop(m)) leaveLoop(m);
    else if (command === 0) prepareToWait(m);
    else if (command === COMMANDS.recurse) {
      gpr.rdi = kt + KT.RC;
      gpr.rsi = 1n;
      m.call(recurse.address, afterCommand);
    } else if (command === COMMANDS.jump) {
      gpr.rdi = kt + KT.RC;
      m.call(jump.address, afterJump);
    } else m.cpu.rip = command === COMMANDS.poke ? poke : peek;
  });
  // The switch's rarer cases lie in kfn.cold: the load at 0x12, the store at 0x28.
  const cold = text.define('kfn.cold', 0x30, MODULE);
  const peek = text.at(cold, 0x12, (m) => {
    withRspOfAccess(m, (address) => {
      kasanAccess(m, address, 8, false);
      m.cpu.gpr.r12 = m.load64(address);
    });
    m.cpu.rip = afterCommand;
  });
  const poke = text.at(cold, 0x28, (m) => {
    m.cpu.gpr.rcx = POKE_VALUE;
    withRspOfAccess(m, (address) => {
      kasanAccess(m, address, 8, true);
      m.store64(address, POKE_VALUE);
    });
    m.cpu.rip = afterCommand;
  });
  const afterCommand = text.at(kfn, 0x165, (m) => {
    const kt = m.cpu.gpr.rbx;
    m.watch = null;
    m.store32(kt + KT.CMD, 0);
    m.store32(kt + KT.DONE, m.load32(kt + KT.DONE) + 1);
    m.cpu.rip = loop;
  });
  const afterJump = text.at(kfn, 0xff, (m) => {
    m.cpu.rip = afterCommand;
  });
  const afterSchedule = text.at(kfn, 0xbf, (m) => {
    finishWait(m);
    m.cpu.rip = loop;
  });

  function leaveLoop(m: Machine): void {
    m.cpu.rsp += WAIT.SIZE;
    if (!m.config.STACKPROTECTOR) m.cpu.rsp += 8n;
    else if (!popCanary(m, kfn.name, 0x16b)) return;
    m.popAll(KFN_RESTORES);
    m.ret();
  }

  function prepareToWait(m: Machine): void {
    const entry = m.cpu.rsp;
    const head = m.cpu.gpr.r13 + 8n;
    m.store64(entry + WAIT.FUNC, wakeFunction.address);
    m.store64(entry + WAIT.ENTRY, head);
    m.store64(entry + WAIT.ENTRY_PREV, head);
    m.store64(head, entry + WAIT.ENTRY);
    m.store64(head + 8n, entry + WAIT.ENTRY);
    m.setCurrentSleeping();
    m.call(schedule.address, afterSchedule);
  }

  // recurse() and jump(): RBP chain; p is the alloca, aligned to 16.
  const build = config.STACKPROTECTOR ? O2 : OS;
  const { saves, p, c } = build.recurse;
  text.at(recurse, 0, (m) => {
    const { gpr } = m.cpu;
    const [rc, depth] = [gpr.rdi, gpr.rsi];
    enterFrame(m, saves);
    gpr[p] = alloca(m, rc);
    gpr[c] = rc;
    if (m.config.STACKPROTECTOR) gpr.r13 = depth;
    m.store64(rc + RC.DEPTH, depth);
    m.store64(rc + RC.DEEPEST, gpr[p]);
    m.cpu.rip = touch;
  });
  const touch = text.at(recurse, 0x83, (m) => {
    const { gpr } = m.cpu;
    const rc = gpr[c];
    // The -O2 build keeps the depth in a register, the -Os build reads it again.
    const depth = config.STACKPROTECTOR ? gpr.r13 : m.load64(rc + RC.DEPTH);
    if (m.load64(rc + RC.FILL) !== 0n) {
      const length = memsetLength(m.load64(rc + RC.FRAME));
      kasanAccess(m, gpr[p], length, true);
      m.fill(gpr[p], length, DENSE_BYTE);
    } else {
      kasanAccess(m, gpr[p], 1, true);
      m.store8(gpr[p], Number(depth & 0xffn));
    }
    if (gpr[p] <= m.load64(rc + RC.LIMIT)) m.cpu.rip = leaveRecurse;
    else {
      gpr.rdi = rc;
      gpr.rsi = depth + 1n;
      m.call(recurse.address, leaveRecurse);
    }
  });
  const leaveRecurse = text.at(recurse, 0x98, (m) => {
    m.load8(m.cpu.gpr[p]);
    leaveFrame(m, saves, recurse.name, 0xab);
  });

  const inJump = build.jump;
  text.at(jump, 0, (m) => {
    const { gpr } = m.cpu;
    const rc = gpr.rdi;
    enterFrame(m, inJump.saves);
    gpr[inJump.p] = alloca(m, rc);
    gpr[inJump.c] = rc;
    m.store64(rc + RC.DEEPEST, gpr[inJump.p]);
    m.store64(rc + RC.DEPTH, 1n);
    m.cpu.rip = land;
  });
  const land = text.at(jump, 0x93, (m) => {
    const { gpr } = m.cpu;
    kasanAccess(m, gpr[inJump.p], 1, true);
    m.store8(gpr[inJump.p], 1);
    m.store64(gpr[inJump.c] + RC.DEPTH, 2n);
    gpr.rdi = BigInt(m.load8(gpr[inJump.p]));
    m.call(leaf.address, leaveJump);
  });
  const leaveJump = text.at(jump, 0x6c, (m) => {
    m.load8(m.cpu.gpr[inJump.p]);
    leaveFrame(m, inJump.saves, jump.name, 0x9b);
  });

  // leaf(): y[0] = x, y[3] = x + 1 in an array of four, below the canary that an array brings.
  text.at(leaf, 0, (m) => {
    const x = m.cpu.gpr.rdi;
    const { rsp } = m.cpu;
    pushCanary(m);
    m.store64(m.cpu.rsp - 32n, x);
    m.store64(m.cpu.rsp - 8n, x + 1n);
    if (!popCanary(m, leaf.name, 0x2b)) return;
    m.cpu.rsp = rsp;
    m.ret();
  });

  // Called by the waker through the pointer in the wait_queue_entry: unlinks the entry, wakes the task.
  text.at(wakeFunction, 0, (m) => {
    const entry = m.cpu.gpr.rdi;
    unlink(m, entry);
    const task = m.taskAt(m.cpu.gpr.rsi);
    if (task) wakeUpProcess(m, task);
    m.ret();
  });
  text.endModule();
}

/** Bytes of the frames of kthread() and of the main loop, return addresses included. */
const KTHREAD_FRAME = BigInt(8 + 8 * KTHREAD_SAVES.length + 8);
const KFN_FRAME = BigInt(8 + 8 * KFN_SAVES.length) + 8n + WAIT.SIZE;

type Saved = 'r12' | 'r13' | 'rbx';

/** The registers that a function saves besides RBP, and those in which it keeps its alloca and its argument. */
interface FrameRegisters {
  readonly saves: readonly Saved[];
  readonly p: GprName;
  readonly c: GprName;
}

/** The module as the recorded stock kernel's build has it. */
const O2: Readonly<Record<'recurse' | 'jump', FrameRegisters>> = {
  recurse: { saves: ['r13', 'r12', 'rbx'], p: 'r12', c: 'rbx' },
  jump: { saves: ['r12', 'rbx'], p: 'r12', c: 'rbx' },
};

/**
 * As the small kernels' build has it, told by the frames' sizes and by where their guard-page hits came: jump()
 * knows which registers leaf() leaves alone (-fipa-ra) and saves none; which ones it uses is chosen here.
 */
const OS: typeof O2 = {
  recurse: { saves: ['rbx'], p: 'rbx', c: 'r8' },
  jump: { saves: [], p: 'rcx', c: 'rdx' },
};

function enterFrame(m: Machine, saves: readonly Saved[]): void {
  m.push(m.cpu.gpr.rbp);
  m.cpu.gpr.rbp = m.cpu.rsp;
  for (const register of saves) m.push(m.cpu.gpr[register]);
  pushCanary(m);
}

/** Finds the frame through RBP, as compiled code with an alloca does; so a wrong RBP leads elsewhere. */
function leaveFrame(m: Machine, saves: readonly Saved[], fn: string, failOffset: number): void {
  const { gpr } = m.cpu;
  m.cpu.rsp = gpr.rbp - BigInt(8 * (saves.length + (m.config.STACKPROTECTOR ? 1 : 0)));
  if (!popCanary(m, fn, failOffset)) return;
  for (const register of [...saves].reverse()) gpr[register] = m.pop();
  gpr.rbp = m.pop();
  m.ret();
}

/** The access of poke and peek, with RSP where struct kt says, if it says so. */
function withRspOfAccess(m: Machine, access: (address: VirtAddr) => void): void {
  const { cpu } = m;
  const kt = cpu.gpr.rbx;
  const address = m.load64(kt + KT.A0);
  const { rsp } = cpu;
  const rspAtAccess = m.load64(kt + KT.A1);
  cpu.gpr.rax = address;
  if (m.load32(kt + KT.RSP_GIVEN) !== 0) cpu.rsp = rspAtAccess;
  access(address);
  cpu.rsp = rsp;
}

/**
 * RSP − the alloca of rc->frame bytes: 8 more, for p to be aligned in, and rounded to 8.
 *
 * @returns p, the next multiple of 16 from there
 */
function alloca(m: Machine, rc: VirtAddr): VirtAddr {
  const size = (m.load64(rc + RC.FRAME) + 15n) & -8n;
  m.cpu.gpr.rax = size;
  m.cpu.rsp = BigInt.asUintN(64, m.cpu.rsp - size);
  return BigInt.asUintN(64, (m.cpu.rsp + 15n) & -16n);
}

const KTHREAD_SHOULD_STOP = 2;

/** kthread_should_stop(): a bit in the struct kthread that task_struct points to. */
function shouldStop(m: Machine): boolean {
  const kthread = m.load64(currentTaskStruct(m) + TASK.WORKER_PRIVATE);
  return (m.load32(kthread) & KTHREAD_SHOULD_STOP) !== 0;
}

/** kthread_stop(), by whoever is running: tells the thread to end and wakes it. */
export function stopProbe(m: Machine, { task }: Probe): void {
  const kthread = m.load64(task.taskStruct + TASK.WORKER_PRIVATE);
  m.store32(kthread, m.load32(kthread) | KTHREAD_SHOULD_STOP);
  wakeUpProcess(m, task);
}

/** A length past all memory faults where the memory ends, so it need not be exact. */
const memsetLength = (bytes: bigint) => Number(bytes < 1n << 48n ? bytes : 1n << 48n);

function finishWait(m: Machine): void {
  const entry = m.cpu.rsp + WAIT.ENTRY;
  if (m.load64(entry) !== entry) unlink(m, m.cpu.rsp);
}

/** list_del_init() of a wait_queue_entry. */
function unlink(m: Machine, waitEntry: VirtAddr): void {
  const entry = waitEntry + WAIT.ENTRY;
  const [next, prev] = [m.load64(entry), m.load64(entry + 8n)];
  m.store64(next + 8n, prev);
  m.store64(prev, next);
  m.store64(entry, entry);
  m.store64(entry + 8n, entry);
}

/** Starts a probe thread and lets it go to sleep in its main loop. */
export function startProbe(m: Machine, id: number): Probe | null {
  loadProbeModule(m);
  const kt = m.allocObject('kmalloc-128');
  if (kt === null) return null;
  const entry = m.text.define('ret_from_fork').address;
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
