import { callTrace } from './call-trace';
import { kernelConfig, type Era, type KernelOptions } from './config';
import { Machine } from './machine';
import { taskLines } from './oops';
import { wakeUpProcess } from './scheduler';
import { createTask, currentTask } from './task';

/** Who holds every second page of memory: nobody, a program, or the kernel itself. */
export type Fragmentation = 'none' | 'user' | 'unmovable';

export const FRAGMENTATIONS: readonly Fragmentation[] = ['none', 'user', 'unmovable'];

export interface ForkTrialOptions extends KernelOptions {
  readonly era?: Era;
  readonly seed?: number;
  /** 64 unless given, as the recorded guests had. */
  readonly ramMiB?: number;
  /** Threads to create; 400 unless given. */
  readonly threads?: number;
  readonly fragmentation?: Fragmentation;
  /** Who creates the threads: kthreadd unless given, or the program that holds the memory, by fork(). */
  readonly forker?: 'kthreadd' | 'hog';
}

/** What became of a number of threads that were to be created. */
export interface ForkTrialReport {
  readonly asked: number;
  readonly created: number;
  /** log2 of the pages that a stack asks for at once: 0 with VMAP_STACK, each page by itself. */
  readonly order: number;
  /** All were created, some after a process was killed; or fork failed; or nobody could be killed. */
  readonly end: 'created' | 'failure' | 'panic';
  readonly oomKills: number;
  /** Before the first thread: free memory, and free blocks of each order. */
  readonly freeKb: number;
  readonly freeBlocks: readonly number[];
  readonly console: readonly string[];
  readonly kernel: string;
  readonly modelled: string;
  readonly patched: boolean;
  readonly seed: number;
}

const ORDERS = 11;
/** Pages that the program or the module leaves alone. */
const LEFT = 512;
/** The program's in the recorded guests; kthreadd's anywhere. */
const HOG_PID = 24;
const KTHREADD_PID = 2;

/**
 * Creates kernel threads on a machine whose memory is in crumbs: order-1 or order-2 stacks from the direct map
 * against single pages mapped by vmalloc. The refusal, the OOM killer and its victim are the allocator's.
 *
 * Simplified: one program holds all user memory, and when it is killed it gives it back at once; but if it is
 * forking itself (`forker`), only after its fork has failed, as the OOM killer's victim that it is by then.
 *
 * @throws RangeError for numbers out of range, or a configuration that Linux refuses
 */
export function forkTrial(options: ForkTrialOptions = {}): ForkTrialReport {
  const { fragmentation = 'none', threads = 400, seed = 1, forker = 'kthreadd' } = options;
  if (forker !== 'kthreadd' && forker !== 'hog') {
    throw new RangeError(`forker: expected kthreadd or hog, got ${JSON.stringify(forker)}`);
  }
  if (!FRAGMENTATIONS.includes(fragmentation)) {
    throw new RangeError(
      `fragmentation: expected ${FRAGMENTATIONS.join(', ')}, got ${JSON.stringify(fragmentation)}`,
    );
  }
  if (!Number.isInteger(threads) || threads < 1 || threads > 10_000)
    throw new RangeError(`threads: expected a whole number from 1 to 10000, got ${threads}`);
  const config = kernelConfig(options.era ?? '16k', options);
  const m = new Machine(config, { seed, ramMiB: options.ramMiB });
  const { pageAllocator } = m;
  const held = fragment(m, fragmentation);
  const hog = new Hog(m, fragmentation === 'user' ? held : [], forker === 'hog');
  listen(m, hog);
  const freeKb = pageAllocator.freePageCount * 4;
  const freeBlocks = Array.from({ length: ORDERS }, (_, order) => pageAllocator.freeCount(order));
  const created = createThreads(m, threads, forker);
  hog.exit();
  return {
    asked: threads,
    created,
    order: config.VMAP_STACK ? 0 : config.THREAD_SIZE_ORDER,
    end: m.state === 'panic' ? 'panic' : created === threads ? 'created' : 'failure',
    oomKills: pageAllocator.counters.oom_kill,
    freeKb,
    freeBlocks,
    console: [...m.console],
    kernel: config.version,
    modelled: config.modelled,
    patched: config.patched,
    seed,
  };
}

/** Takes all memory but a little, page by page, and gives every second page back; answers what is kept. */
function fragment(m: Machine, fragmentation: Fragmentation): number[] {
  if (fragmentation === 'none') return [];
  const { pageAllocator } = m;
  const user = fragmentation === 'user';
  const taken: number[] = [];
  while (pageAllocator.freePageCount > LEFT) {
    const pfn = pageAllocator.allocPages(0, {
      class: user ? 'anon' : 'kernel',
      migratetype: user ? 'MOVABLE' : 'UNMOVABLE',
      noretry: true,
      nowarn: true,
    });
    if (pfn === null) break;
    taken.push(pfn);
  }
  const kept = taken.filter((pfn) => pfn % 2 === 1);
  for (const pfn of taken) if (pfn % 2 === 0) pageAllocator.freePages(pfn, 0);
  return kept;
}

/** The program that holds user memory. */
class Hog {
  private killed = false;

  constructor(
    private readonly m: Machine,
    readonly pages: number[],
    private readonly forks: boolean,
  ) {}

  get isVictim(): boolean {
    return this.killed && this.forks;
  }

  kill(): void {
    this.killed = true;
    // In the middle of a fork it must leave the kernel first.
    if (!this.forks) this.exit();
  }

  /** Gives its memory back if it has been killed. */
  exit(): void {
    if (!this.killed) return;
    for (const pfn of this.pages.splice(0)) this.m.pageAllocator.freePages(pfn, 0);
  }
}

/** Lets the allocator speak to the console, and gives the OOM killer a program to kill. */
function listen(m: Machine, hog: Hog): void {
  const { pages: hogPages } = hog;
  const { hooks } = m.pageAllocator;
  hooks.printk = (line) => m.printk(line);
  hooks.onPanic = () => {
    m.state = 'panic';
  };
  hooks.dumpStack = () => [
    ...taskLines(m),
    ...callTrace(m, { rip: m.cpu.rip, rsp: m.cpu.rsp, rbp: m.cpu.gpr.rbp }),
  ];
  hooks.comm = () => currentTask(m)?.comm ?? '?';
  hooks.onMigrate = ({ from, to }) => {
    const at = hogPages.indexOf(from);
    if (at >= 0) hogPages[at] = to;
  };
  hooks.oomKiller = {
    tasks: () =>
      hogPages.length === 0
        ? []
        : [
            {
              pid: HOG_PID,
              tgid: HOG_PID,
              uid: 0,
              name: 'hog',
              totalVm: hogPages.length,
              rssAnon: hogPages.length,
              rssFile: 0,
              rssShmem: 0,
              pgtablesBytes: 4096 * Math.ceil(hogPages.length / 512),
              swapents: 0,
              oomScoreAdj: 0,
            },
          ],
    kill: () => hog.kill(),
    currentIsVictim: () => hog.isVictim,
  };
}

/** kthreadd or the program creates the threads, one after the other, until one can't be had. */
function createThreads(m: Machine, threads: number, forker: 'kthreadd' | 'hog'): number {
  const entry = m.text.named('ret_from_fork').address;
  let created = 0;
  const kthreadd = m.text.define(forker === 'hog' ? '__do_sys_clone' : 'kthreadd', 0xc0);
  m.text.setFrameRule(kthreadd.address, { kind: 'end' });
  m.text.at(kthreadd, 0, (machine) => {
    while (created < threads && machine.state === 'alive') {
      const task = createTask(machine, {
        kind: forker === 'hog' ? 'user' : 'kthread',
        comm: forker === 'hog' ? 'hog' : `kstk/${created}`,
        entry,
        argument: 0n,
      });
      if (!task) break;
      created++;
    }
    machine.setCurrentSleeping();
    machine.call(machine.text.named('schedule').address, kthreadd.address);
  });
  m.nextPid = forker === 'hog' ? HOG_PID : KTHREADD_PID;
  const task = createTask(m, {
    kind: forker === 'hog' ? 'user' : 'kthread',
    comm: forker,
    entry: kthreadd.address,
    argument: 0n,
  });
  if (!task) return 0;
  m.nextPid = HOG_PID + 1;
  wakeUpProcess(m, task);
  m.run();
  return created;
}
