import type { VirtAddr } from '../x86/addr';
import { kasanAccess } from './detectors/kasan-report';
import type { Machine } from './machine';
import {
  COMMANDS,
  KFN_SAVES,
  KT,
  KTHREAD_SAVES,
  KTHREAD_SHOULD_STOP,
  O2,
  OS,
  RC,
  WAIT,
  type Saved,
} from './probe-frames';
import { popCanary, pushCanary, wakeUpProcess } from './scheduler';
import { currentTaskStruct } from './task';
import { TASK } from './task-struct';

/** What a dense frame is filled with, and what a poke stores. */
export const DENSE_BYTE = 0xa5;
export const POKE_VALUE = 0x4141414141414141n;

const MODULE = 'kstk';
const KFN_RESTORES = [...KFN_SAVES].reverse();

/** Lays out the module's functions and the kernel's kthread(), which calls them. */
export function defineProbe({ text, config }: Machine): void {
  const fork = text.define('ret_from_fork', 0x30);
  const kthread = text.define('kthread', 0x100);
  const kfn = text.define('kfn', 0x170, MODULE);
  const recurse = text.define('recurse', 0xb0, MODULE);
  const jump = text.define('jump', 0xa0, MODULE);
  const leaf = text.define('leaf', 0x30, MODULE);
  const schedule = text.named('schedule');
  const wakeFunction = text.define('autoremove_wake_function', 0x40);

  const afterKthread = text.at(fork, 0x22, (m) => m.raiseInvalidOpcode());
  text.at(fork, 0, (m) => m.call(kthread.address, afterKthread));

  const doExit = text.named('do_exit');
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
    pushCanary(m);
    takeFromStack(m, 32n);
    m.store64(m.cpu.rsp, x);
    m.store64(m.cpu.rsp + 24n, x + 1n);
    m.cpu.rsp += 32n;
    if (!popCanary(m, leaf.name, 0x2b)) return;
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
  m.watch?.reached(cpu.rsp);
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
  takeFromStack(m, size);
  return BigInt.asUintN(64, (m.cpu.rsp + 15n) & -16n);
}

/** SUB of RSP, modulo 2^64. */
function takeFromStack(m: Machine, bytes: bigint): void {
  m.cpu.rsp -= bytes;
  m.watch?.reached(m.cpu.rsp);
}

/** kthread_should_stop(): a bit in the struct kthread that task_struct points to. */
function shouldStop(m: Machine): boolean {
  const kthread = m.load64(currentTaskStruct(m) + TASK.WORKER_PRIVATE);
  return (m.load32(kthread) & KTHREAD_SHOULD_STOP) !== 0;
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
