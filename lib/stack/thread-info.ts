import type { VirtAddr } from '../x86/addr';
import { stackPointerOffset } from '../x86/tss';
import { callTrace } from './call-trace';
import { FAULTED } from './kernel-access';
import type { KernelFunction } from './kernel-text';
import type { Attached, Machine } from './machine';
import { modulesLine, taskLines } from './oops';
import { PER_CPU } from './per-cpu';
import { currentTask, type Task } from './task';
import { TASK } from './task-struct';

/** Image data that thread_info leads to, from the table of symbols: below it, where nothing else lies. */
const PER_CPU_OFFSETS = -0x4000n;
const CPU_ONLINE_MASK = -0x3000n;
const DEFAULT_EXEC_DOMAIN = -0x2000n;
/** CONFIG_NR_CPUS, entries of __per_cpu_offset[]: an assumption; distributions had 64 to 512. */
const NR_CPUS = 256;
/** Offset of `module` in struct exec_domain (include/linux/personality.h); null in the default domain. */
const EXEC_DOMAIN_MODULE = 72n;
const PREEMPT_ACTIVE = 0x10000000;
const EXIT_ZOMBIE = 16;
/** HARDIRQ_MASK, SOFTIRQ_MASK and NMI_MASK. */
const IRQ_COUNT = 0x07ffff00;
/** Where a function reads, behind its prologue; and the length of a call instruction. */
const BODY = 0x1dn;
const CALL = 5n;
const JUST_CALLED = { kind: 'frame', base: 'rsp', offset: 8, savedRbp: null } as const;

/**
 * What the kernel reads of the thread_info at the bottom of a stack (up to 4.8), through the CPU. Where each
 * field lies, and whether there is one, says the configuration.
 *
 * - `cpu`, with SMP only (task_cpu() is 0 without): try_to_wake_up() looks for the sleeper's run queue with it,
 *   and with CGROUP_CPUACCT cpuacct_charge() at each schedule() up to 4.5 (73e6aafd9ea8) for the counter. Both index
 *   __per_cpu_offset[]; the latter is where the machine of CVE-2016-1583 (4.4) died.
 * - `preempt_count`, where it lies there (per-CPU since c2daa3bed53a; trees of 3.6 and 3.14 differ):
 *   schedule_debug(), in_interrupt() of an oops, in_atomic() of do_exit().
 * - `exec_domain`: copy_process() and do_exit() follow it to its module.
 * - `addr_limit`, where it lies there: access_ok() of what a program hands to a system call.
 *
 * Read in trees of 2.6.32, 2.6.39, 3.6, 3.10 and 3.12; 4.4 to 4.8 are taken to wake threads as those do. Not
 * read by anything here: `task` (current is per-CPU data), `restart_block` (no system call is restarted),
 * `status`, `sysenter_return`, `saved_preempt_count`, and `flags`: a wrong TIF_SIGPENDING would keep an
 * interruptible sleeper awake until the next timer tick, and there is none. Left out too: a count with
 * PREEMPT_ACTIVE keeps its thread on the run queue.
 */
export class StackThreadInfo implements Attached {
  private readonly cpu: bigint | null;
  private readonly preemptCount: bigint | null;
  private readonly execDomain: bigint | null;
  /** Null in 4.8, whose limit is in thread_struct. */
  private readonly addrLimit: bigint | null;
  private readonly offsets: VirtAddr;
  private readonly tryToWakeUp: KernelFunction;
  private readonly charge: KernelFunction | null;
  private readonly modulePut: KernelFunction;
  /** Code in which whoever is to be woken while nothing runs is woken, and where the machine rested. */
  private readonly wake: VirtAddr;
  private toWake: readonly Task[] = [];
  private resting: VirtAddr = 0n;
  private saved: { toWake: readonly Task[]; resting: VirtAddr } = { toWake: [], resting: 0n };
  private readonly tickets: boolean;

  constructor(private readonly m: Machine) {
    const { config, kallsyms, text } = m;
    const offsetOf = (name: string) => {
      const field = config.threadInfo.fields.find((one) => one.name === name);
      return field ? BigInt(field.offset) : null;
    };
    this.cpu = config.SMP ? offsetOf('cpu') : null;
    this.preemptCount = offsetOf('preempt_count');
    this.execDomain = offsetOf('exec_domain');
    this.addrLimit = offsetOf('addr_limit');
    this.tickets = config.spinlocks === 'tickets';
    this.tryToWakeUp = text.define('try_to_wake_up', 0x2c0);
    const charges = config.CGROUP_CPUACCT && config.SMP && config.cpuacctByThreadInfo;
    this.charge = charges ? text.define('cpuacct_charge', 0x70) : null;
    this.modulePut = text.define('module_put', 0x90);
    for (const fn of [this.tryToWakeUp, this.charge, this.modulePut])
      if (fn) text.setFrameRule(fn.address + BODY, JUST_CALLED);
    this.wake = text.at(text.define('wake_up_process', 0x20), 0, (machine) => {
      const [task, ...others] = this.toWake;
      this.toWake = others;
      if (task) this.tryToWake(task);
      else machine.cpu.rip = this.resting;
    });
    this.offsets = kallsyms + PER_CPU_OFFSETS;
    for (let cpu = 0; cpu < NR_CPUS; cpu++) {
      // CPUs that there are none of keep __per_cpu_load, the image's own copy.
      m.store64(this.offsets + BigInt(8 * cpu), cpu === 0 ? m.perCpu : m.layout._text);
    }
    m.store64(kallsyms + CPU_ONLINE_MASK, 1n);
    m.attach(this);
  }

  snapshot(): void {
    this.saved = { toWake: this.toWake, resting: this.resting };
  }

  restore(): void {
    Object.assign(this, this.saved);
  }

  /** INIT_THREAD_INFO: that of the task that is there from the start. */
  init(task: Task): void {
    const { m } = this;
    const top = task.stack + BigInt(m.config.THREAD_SIZE);
    m.store64(m.entryArea.tss + BigInt(stackPointerOffset(0)), top);
    m.fill(task.stack, m.config.threadInfo.size, 0);
    m.store64(task.stack, task.taskStruct);
    if (this.addrLimit !== null) m.store64(task.stack + this.addrLimit, 2n ** 64n - 1n); // KERNEL_DS
    if (this.execDomain !== null)
      m.store64(task.stack + this.execDomain, m.kallsyms + DEFAULT_EXEC_DOMAIN);
    const restart = m.config.threadInfo.fields.find(({ name }) => name === 'restart_block.fn');
    if (restart)
      m.store64(
        task.stack + BigInt(restart.offset),
        m.text.define('do_no_restart_syscall', 0x10).address,
      );
    m.store64(task.taskStruct + TASK.CPUS_ALLOWED, 1n);
  }

  /**
   * setup_thread_stack(): a new thread has a copy of its parent's, but for `task` and, from sched_fork(), `cpu`.
   *
   * @param program it is not a thread of a program but a new one: execve() sets the limit of its addresses
   */
  fork(task: Task, program: boolean): void {
    const { m } = this;
    const { taskStruct, stack } = task;
    m.copy(stack, this.current(), m.config.threadInfo.size);
    m.store64(stack, taskStruct);
    m.store64(taskStruct + TASK.CPUS_ALLOWED, 1n);
    if (this.cpu !== null) m.store32(stack + this.cpu, 0);
    if (program && this.addrLimit !== null) m.store64(stack + this.addrLimit, this.userLimit());
    const module = this.moduleOf(stack);
    // module_is_live(): its state.
    if (module !== 0n) m.load32(module);
  }

  /** current_thread_info(): below RSP0 of the TSS, as since 4.1; until then kernel_stack held the same. */
  private current(): VirtAddr {
    const { m } = this;
    const top = m.load64(m.entryArea.tss + BigInt(stackPointerOffset(0)));
    return top - BigInt(m.config.THREAD_SIZE);
  }

  /** task_thread_info(): through the task_struct. */
  private of(taskStruct: VirtAddr): VirtAddr {
    return this.m.load64(taskStruct + TASK.STACK);
  }

  /** What __schedule() reads before it leaves `prev`. */
  schedule(prev: VirtAddr, isIdle: boolean): void {
    const { m, preemptCount } = this;
    if (preemptCount !== null) {
      const count = m.load32(this.current() + preemptCount);
      if (count & ~PREEMPT_ACTIVE && m.load32(prev + TASK.EXIT_STATE) === 0) this.bug(count);
    }
    if (this.cpu === null) return;
    const lock = m.perCpu + PER_CPU.RUNQUEUES;
    this.spinLock(lock);
    // update_curr(); the idle class has no counters.
    if (this.charge && !isIdle) {
      this.inside(this.charge, () => {
        const at = this.perCpuOf(m.load32(this.of(prev) + this.cpu!)) + PER_CPU.CPUUSAGE;
        m.store64(at, BigInt.asUintN(64, m.load64(at) + 1n));
      });
    }
    this.spinUnlock(lock);
  }

  /** __schedule_bug(): silent while an oops is being printed, which schedules only after it. */
  private bug(count: number): void {
    const { m } = this;
    const { comm, pid } = running(m);
    const { rip, rsp, gpr } = m.cpu;
    m.printk(
      `BUG: scheduling while atomic: ${comm}/${pid}/0x${(count >>> 0).toString(16).padStart(8, '0')}`,
      modulesLine(m),
      ...taskLines(m),
      ...callTrace(m, { rip, rsp, rbp: gpr.rbp }),
    );
  }

  /** wake_up_process() of a sleeping task: by the code that runs, or where none does by an interrupt. */
  wakeUp(task: Task): void {
    const { m } = this;
    if (m.state !== 'alive') return;
    if (!m.idle) {
      this.tryToWake(task);
      return;
    }
    if (m.cpu.rip !== this.wake) {
      this.toWake = [];
      this.resting = m.cpu.rip;
      m.cpu.rip = this.wake;
    }
    this.toWake = [...this.toWake, task];
  }

  private tryToWake(task: Task): void {
    if (task.state !== 'sleeping') return;
    if (this.cpu !== null) this.inside(this.tryToWakeUp, () => this.findRunQueue(task.taskStruct));
    task.state = 'runnable';
    this.m.runQueue.push(task);
  }

  /**
   * 2.6.32 takes the lock of the run queue that `cpu` names at once. Since 2.6.39 select_task_rq() looks first
   * whether the thread may run there (`bt` with a 32-bit operand); if not, select_fallback_rq() asks for the
   * node of that CPU and takes another CPU, which mends the field.
   */
  private findRunQueue(taskStruct: VirtAddr): void {
    const { m } = this;
    const at = this.of(taskStruct) + this.cpu!;
    let cpu = m.load32(at);
    let rq = 0n;
    if (!m.config.wakeChecksCpu) {
      rq = m.load64(this.offsets + 8n * BigInt(cpu >>> 0));
    } else {
      const allowed =
        this.testBit(taskStruct + TASK.CPUS_ALLOWED, cpu) &&
        this.testBit(m.kallsyms + CPU_ONLINE_MASK, cpu);
      if (!allowed) {
        m.load32(this.perCpuOf(cpu) + PER_CPU.CPU_TO_NODE);
        cpu = 0;
        m.store32(at, cpu);
      }
      rq = this.perCpuOf(cpu);
    }
    rq = BigInt.asUintN(64, rq + PER_CPU.RUNQUEUES);
    this.spinLock(rq);
    this.spinUnlock(rq);
  }

  private testBit(mask: VirtAddr, bit: number): boolean {
    const word = this.m.load32(BigInt.asUintN(64, mask + 4n * BigInt((bit | 0) >> 5)));
    return ((word >>> (bit & 31)) & 1) === 1;
  }

  /** per_cpu_ptr() with an int. */
  private perCpuOf(cpu: number): VirtAddr {
    return this.m.load64(BigInt.asUintN(64, this.offsets + 8n * BigInt(cpu | 0)));
  }

  /** With interrupts off on the only CPU: a lock that is taken will never be free. */
  private spinLock(at: VirtAddr): void {
    const { m, tickets } = this;
    const lock = m.load32(at) >>> 0;
    const isFree = tickets ? (lock & 0xffff) === lock >>> 16 : lock === 0;
    m.store32(at, tickets ? (lock + 0x10000) >>> 0 : isFree ? 1 : lock);
    if (isFree) return;
    m.state = 'hang';
    throw FAULTED;
  }

  private spinUnlock(at: VirtAddr): void {
    const { m, tickets } = this;
    const lock = m.load32(at) >>> 0;
    m.store32(at, tickets ? ((lock & 0xffff0000) | ((lock + 1) & 0xffff)) >>> 0 : 0);
  }

  /** in_interrupt() as `preempt_count` has it: makes an oops a panic. */
  inInterrupt(): boolean {
    const { m, preemptCount } = this;
    return preemptCount !== null && (m.load32(this.current() + preemptCount) & IRQ_COUNT) !== 0;
  }

  /** do_exit(): a note about `preempt_count`. */
  noteAtomic(): void {
    const { m, preemptCount } = this;
    if (preemptCount === null) return;
    const count = m.load32(this.current() + preemptCount);
    const { comm, pid } = running(m);
    if (count & ~PREEMPT_ACTIVE)
      m.printk(`note: ${comm}[${pid}] exited with preempt_count ${count | 0}`);
  }

  /**
   * do_exit(): module_put(task_thread_info(tsk)->exec_domain->module), of which the first word is read. What
   * schedules from here on is forgiven for being atomic.
   */
  exit(taskStruct: VirtAddr): void {
    const module = this.moduleOf(this.of(taskStruct));
    if (module !== 0n) this.inside(this.modulePut, () => this.m.load64(module));
    this.m.store32(taskStruct + TASK.EXIT_STATE, EXIT_ZOMBIE);
  }

  private moduleOf(threadInfo: VirtAddr): bigint {
    const { m, execDomain } = this;
    if (execDomain === null) return 0n;
    return m.load64(BigInt.asUintN(64, m.load64(threadInfo + execDomain) + EXEC_DOMAIN_MODULE));
  }

  /** access_ok(): false is -EFAULT. */
  accessOk(address: VirtAddr, bytes: number): boolean {
    const { addrLimit } = this;
    const limit = addrLimit === null ? this.userLimit() : this.m.load64(this.current() + addrLimit);
    return address + BigInt(bytes) <= limit;
  }

  private userLimit(): bigint {
    return this.m.layout.levels === 5 ? TASK_SIZE_5 : TASK_SIZE;
  }

  /** A call of `fn` out of the code at RIP; what it takes of the stack is the return address alone. */
  private inside(fn: KernelFunction, body: () => void): void {
    const { m } = this;
    const { rip } = m.cpu;
    m.push(rip + CALL);
    m.cpu.rip = fn.address + BODY;
    body();
    m.pop();
    m.cpu.rip = rip;
  }
}

/** TASK_SIZE_MAX: the limit of user addresses with 4 and 5 levels. */
const TASK_SIZE = 0x00007ffffffff000n;
const TASK_SIZE_5 = 0x00fffffffffff000n;

const running = (m: Machine): Pick<Task, 'comm' | 'pid'> => currentTask(m) ?? { comm: '?', pid: 0 };
