import type { Cpu } from '../x86/cpu';
import type { Delivery } from '../x86/cpu';
import type { Fault } from '../x86/fault';
import { makeFault, VECTOR_UD } from '../x86/fault';
import { scratch32, scratch64 } from '../x86/halves';
import { PhysMemory } from '../x86/phys-memory';
import type { PageTable } from '../x86/page-table';
import type { TlbConfig } from '../x86/tlb';
import type { VirtAddr } from '../x86/addr';
import type { DirectMap } from '../mm/direct-map';
import type { KernelLayout } from '../mm/layout';
import type { PageAllocator } from '../mm/page-allocator';
import { KmemCache } from '../mm/slab';
import type { Vmalloc } from '../mm/vmalloc';
import { walk, type WalkResult } from '../x86/walk';
import { Random } from '../random';
import { boot } from './boot';
import { DetectorCosts } from './detectors/costs';
import { defineInterrupts, Interrupts } from './irq';
import type { KernelConfig } from './config';
import type { CpuEntryArea } from './cpu-entry-area';
import type { KernelText } from './kernel-text';
import { defineProbe } from './probe-code';
import { defineScheduler } from './scheduler';
import { StackThreadInfo } from './thread-info';
import type { WriteWatch } from './write-watch';
import { defineExit } from './exit';
import { leaveHistory, markRodataRo } from './before-threads';
import { FAULTED, KernelAccess } from './kernel-access';
import { MachineSnapshot } from './machine-snapshot';
import { cacheOptions } from './objects';
import { definePanic, panic } from './panic';
import { createIdleTask, currentTask, defineFork, type Task } from './task';
import { defineTraps } from './traps';

export type MachineState = 'alive' | 'panic' | 'reset' | 'hang';

/** Pieces of kernel code after which a machine that never comes to rest is taken to hang. */
const HANG_AFTER = 1_000_000;
/** Exceptions in one run after which the machine does nothing but fault. */
const FAULTS_TO_HANG = 100;

/** What goes back to the machine's snapshot with it. */
export interface Attached {
  snapshot(): void;
  restore(): void;
}

/** The hardware under the kernel. */
export interface MachineOptions {
  /** 32 to 1024; 64 unless given. */
  readonly ramMiB?: number;
  /** Of everything drawn; 1 unless given. */
  readonly seed?: number;
  /** Sets and ways of the TLB; as many as Skylake's second level unless given. */
  readonly tlb?: TlbConfig;
  /** Single pages that the boot took, to give half of them back; none unless given. */
  readonly bootPages?: number;
}

/** What a user program does; it waits for the end of the task that is returned. */
export type Job = (m: Machine) => Task | null | void;

/**
 * One simulated computer running one configured kernel.
 *
 * Its stacks, task_structs, page tables, descriptor tables and slab objects are bytes in `memory`; kernel
 * code is JavaScript that reaches them through `cpu` only. Kept outside memory: struct page, the run
 * queue, and the text of functions (see KernelText).
 */
export class Machine extends KernelAccess {
  readonly config: KernelConfig;
  random: Random;
  readonly memory: PhysMemory;
  readonly cpu: Cpu;
  readonly pageAllocator: PageAllocator;
  readonly pageTable: PageTable;
  readonly directMap: DirectMap;
  readonly vmalloc: Vmalloc;
  readonly layout: KernelLayout;
  readonly text: KernelText<Machine>;
  readonly entryArea: CpuEntryArea;
  /** Linear address of the CPU's per-CPU area, what GS points to. */
  readonly perCpu: VirtAddr;
  /** Linear address of kallsyms' tables. */
  readonly kallsyms: VirtAddr;
  private readonly printkData: readonly VirtAddr[];
  readonly tasks: Task[] = [];
  /** By the lower half of the task_struct's address. */
  private readonly byTaskStruct = new Map<number, Task>();
  readonly runQueue: Task[] = [];
  /** What the kernel printed, without time stamps. */
  readonly console: string[] = [];
  /** Context switches so far, `ctxt` of /proc/stat: the clock of what follows an overrun. */
  switches = 0;
  /** That clock when each line of the console was printed. */
  readonly printedAt: number[] = [];
  /**
   * What the CPU delivered, in order. Besides looking back: run() counts them, and a general protection fault
   * is worded by the fault that the last one is of, which a kernel takes from the instruction instead.
   */
  readonly deliveries: { readonly delivery: Delivery; readonly rsp: VirtAddr }[] = [];
  /** Slab caches by name. */
  readonly caches: ReadonlyMap<string, KmemCache>;
  /** Freed stacks that wait for the next fork (VMAP_STACK). */
  readonly cachedStacks: VirtAddr[] = [];
  /** Stacks that a memory cgroup pays for, and which: those of tasks that were forked in one. */
  readonly stackPayers: Map<VirtAddr, string> = new Map();
  /** Where the next stack is to lie, for an experiment that needs it there. */
  nextStack: VirtAddr | null = null;
  /** What the kernel reads of a thread_info on the stack; null where it lies in task_struct. */
  readonly threadInfo: StackThreadInfo | null;
  readonly idleTask: Task;
  nextPid = 1;
  /** The probe's text and data have their pages. */
  probeModuleLoaded = false;
  /** First table of an exited process that the CPU still uses; freed when it goes on to another. */
  lazyPgd: number | null = null;
  state: MachineState = 'alive';
  /** No task is runnable. */
  idle = false;
  oopses = 0;
  /** KASAN has reported: it does so once. */
  kasanReported = false;
  /** What a probe's next command is to be watched by. */
  nextWatch: WriteWatch | null = null;
  /** Lowest pages of stacks that killed tasks gave back, as they were then: for looking back. */
  readonly bottoms: Map<Task, Uint8Array> = new Map();
  /** Tasks that have exited and wait for what they held to be freed. */
  readonly exited: Task[] = [];
  /** What user programs are to do next: run by the load's task in its own context. */
  readonly work: Job[] = [];
  /** complete_vfork_done(): a task that exits tells who waits for it. */
  onExit: ((task: Task) => void) | null = null;
  readonly irq: Interrupts = new Interrupts();
  readonly detectors: DetectorCosts = new DetectorCosts();
  private saved: MachineSnapshot | null = null;
  private readonly attached: Attached[] = [];

  constructor(config: KernelConfig, options: MachineOptions = {}) {
    super();
    this.config = config;
    this.random = new Random(options.seed ?? 1);
    const ramMiB = options.ramMiB ?? 64;
    if (!Number.isInteger(ramMiB) || ramMiB < 32 || ramMiB > 1024) {
      throw new RangeError(`ramMiB: expected a whole number from 32 to 1024, got ${ramMiB}`);
    }
    this.memory = new PhysMemory(ramMiB * 2 ** 20);
    const parts = boot(this.memory, config, options.seed ?? 1, options.tlb);
    this.cpu = parts.cpu;
    this.pageAllocator = parts.pageAllocator;
    this.pageTable = parts.pageTable;
    this.directMap = parts.directMap;
    this.vmalloc = parts.vmalloc;
    this.layout = parts.layout;
    this.text = parts.text;
    this.entryArea = parts.entryArea;
    this.perCpu = parts.perCpu;
    this.kallsyms = parts.kallsyms;
    this.printkData = parts.printkData;
    this.caches = new Map(
      cacheOptions(config).map((cache) => [
        cache.name,
        new KmemCache(this.pageAllocator, this.directMap, this.cpu, cache),
      ]),
    );
    this.attached.push(this.pageAllocator, this.directMap, this.vmalloc, ...this.caches.values());
    this.attached.push(this.irq, this.detectors);
    leaveHistory(this, options.bootPages ?? 0);
    markRodataRo(this);
    defineInterrupts(this);
    defineScheduler(this);
    defineExit(this);
    defineProbe(this);
    defineFork(this);
    definePanic(this);
    defineTraps(this);
    this.threadInfo = config.THREAD_INFO_IN_TASK ? null : new StackThreadInfo(this);
    this.idleTask = createIdleTask(this);
  }

  /** Has a part of the machine, or one that lives outside it, go along with its snapshots. */
  attach(part: Attached): void {
    this.attached.push(part);
  }

  /** kmem_cache_alloc(); null if there is no memory. A broken free pointer faults here. */
  allocObject(cache: string): VirtAddr | null {
    const object = this.cacheNamed(cache).alloc();
    if (object !== null && typeof object !== 'bigint') this.check(object);
    return object as VirtAddr | null;
  }

  /** kmem_cache_free() */
  freeObject(cache: string, object: VirtAddr): void {
    this.check(this.cacheNamed(cache).free(object));
  }

  private cacheNamed(name: string): KmemCache {
    const cache = this.caches.get(name);
    if (!cache)
      throw new RangeError(`cache: expected ${[...this.caches.keys()].join(', ')}, got ${name}`);
    return cache;
  }

  /** Makes the present state the one that restore() returns to. */
  snapshot(): void {
    this.memory.checkpoint();
    for (const part of this.attached) part.snapshot();
    this.saved = new MachineSnapshot(this);
  }

  get hasSnapshot(): boolean {
    return this.saved !== null;
  }

  /**
   * Returns to the snapshot at the cost of what has changed since; may be repeated. The TLB is empty
   * afterwards; functions laid out since stay.
   *
   * @param random what is drawn from then on
   */
  restore(random: Random): void {
    const { saved } = this;
    if (!saved) throw new TypeError('restore: expected a snapshot() before it, got none');
    this.memory.rollback();
    for (const part of this.attached) part.restore();
    saved.restore(this);
    this.fault = null;
    this.random = random;
  }

  /** Runs kernel code from RIP on until nothing is runnable or the machine has ended. */
  run(): void {
    this.idle = false;
    const faults = this.deliveries.length;
    for (let step = 0; this.state === 'alive' && !this.idle; step++) {
      if (step === HANG_AFTER || this.deliveries.length - faults > FAULTS_TO_HANG) {
        this.state = 'hang';
        return;
      }
      this.irq.deliverDue(this);
      if (this.state !== 'alive') return;
      try {
        this.check(this.cpu.fetch(this.cpu.rip));
        const code = this.text.code(this.cpu.rip);
        if (!code) this.raiseInvalidOpcode();
        else code(this);
      } catch (thrown) {
        if (thrown !== FAULTED) throw thrown;
        if (this.fault) this.raise(this.fault);
      }
    }
  }

  /** The CPU delivers a fault; RIP is at its handler afterwards, or the machine has reset itself. */
  raise(fault: Fault): void {
    this.fault = null;
    this.watch = null;
    const { rsp } = this.cpu;
    const delivery = this.cpu.raise(fault);
    this.deliveries.push({ delivery, rsp });
    if (delivery.kind === 'triple-fault') this.state = 'reset';
  }

  /** The kernel's log. Its buffers and the console's state lie in the image's data: a broken mapping of it faults here. */
  printk(...lines: string[]): void {
    for (const address of this.printkData) this.load64(address);
    this.console.push(...lines);
    for (let i = 0; i < lines.length; i++) this.printedAt.push(this.switches);
  }

  /** WARN(): says where, and goes on. */
  warn(where: string, what: string): void {
    const pid = currentTask(this)?.pid ?? 0;
    this.printk(`WARNING: CPU: 0 PID: ${pid} at ${where} ${what}`);
  }

  /** Panics in the middle of a piece of kernel code, which goes no further. */
  panic(why: string): never {
    panic(this, why);
    throw FAULTED;
  }

  /** Makes the books those of `tasks`. */
  setTasks(tasks: readonly Task[]): void {
    this.tasks.length = 0;
    this.byTaskStruct.clear();
    for (const task of tasks) this.addTask(task);
  }

  /** Puts a new task into the books. */
  addTask(task: Task): void {
    this.tasks.push(task);
    this.byTaskStruct.set(lowerHalf(task.taskStruct), task);
  }

  /** Takes a task out of the books once its task_struct is freed. */
  forget(task: Task): void {
    const at = this.tasks.indexOf(task);
    if (at < 0) return;
    this.tasks.splice(at, 1);
    this.byTaskStruct.delete(lowerHalf(task.taskStruct));
  }

  /** The books' entry for a task_struct; undefined for any other address. */
  taskAt(taskStruct: VirtAddr): Task | undefined {
    const task = this.byTaskStruct.get(lowerHalf(taskStruct));
    return task?.taskStruct === taskStruct ? task : undefined;
  }

  /** A call made by the idle task, as an interrupt or a system call on its behalf would. */
  callFromIdle(target: VirtAddr, rdi: bigint, rsi: bigint): void {
    this.cpu.gpr.rdi = rdi;
    this.cpu.gpr.rsi = rsi;
    this.call(target, this.cpu.rip);
  }

  /** set_current_state(): the task leaves the run queue at its next schedule(). */
  setCurrentSleeping(): void {
    const task = currentTask(this);
    if (task) task.state = 'sleeping';
  }

  /** A function returned that never does, or RIP is where no known code is: #UD. */
  raiseInvalidOpcode(): void {
    this.raise(makeFault(VECTOR_UD, 'instruction', { access: 'execute' }));
  }

  /** What a debugger sees at `address`: null if nothing is mapped there. Changes nothing. */
  peek64(address: VirtAddr): bigint | null {
    const { pa } = this.walk(address);
    return pa === null || Number(pa) + 8 > this.memory.size ? null : this.memory.read64(pa);
  }

  /**
   * The page frame address that backed `address` before the machine ran on: the direct map is linear, and
   * vmalloc's books say where its pages are. Null for anything else.
   */
  frameOf(address: VirtAddr): bigint | null {
    if (this.directMap.contains(address)) return this.directMap.virtToPhys(address) & ~0xfffn;
    const pfn = this.vmalloc.isVmallocAddr(address) ? this.vmalloc.vmallocToPage(address) : null;
    return pfn === null ? null : BigInt(pfn) << 12n;
  }

  /** Remembers the lowest page of a stack that is about to be given back. */
  keepBottom(task: Task): void {
    const pa = this.frameOf(task.stack);
    if (pa !== null) this.bottoms.set(task, this.memory.readBytes(pa, 4096));
  }

  /** The walk of the current page tables for `address`, entry by entry. Changes nothing. */
  walk(address: VirtAddr): WalkResult {
    const { cr3, levels, mmu } = this.cpu;
    return walk(this.memory, { cr3, levels, maxphyaddr: mmu.maxphyaddr }, address);
  }
}

function lowerHalf(address: VirtAddr): number {
  scratch64[0] = address;
  return scratch32[0];
}
