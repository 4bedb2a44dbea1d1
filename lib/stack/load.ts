import type { VirtAddr } from '../x86/addr';
import type { Job, Machine } from './machine';
import { newObject, OBJECT_TYPES, useObject } from './objects';
import { wakeUpProcess } from './scheduler';
import { stopProbe, type Probe } from './probe';
import { createTask, type Task } from './task';
import type { UserMemory } from './user-memory';

/** Files there are from the start, and how many of all files one round writes. */
const FILES = 16;
const FILES_A_ROUND = 12;
/** Where the shell has what it writes into a file, and how much. */
const BUFFER = 0x00400000n;
const BUFFER_SIZE = 4096;
/** Anonymous pages that a forked child touches. */
const CHILD_PAGES = 4;

/**
 * The user programs of the machine: a shell that carries out what it is told, children that it forks,
 * the files it writes, and the program whose memory fills the machine.
 */
export class Load {
  /** The task in whose context the work is done. */
  readonly shell: Task;
  private readonly inodes: VirtAddr[] = [];
  private readonly childMain: VirtAddr;
  private nextFile = 0;
  private saved = { files: 0, nextFile: 0 };
  private hasChildren = false;
  /** The thread that the shell waits for. */
  private awaited: Task | null = null;

  /** @throws RangeError if memory runs out before the shell has started */
  constructor(
    private readonly m: Machine,
    readonly memory: UserMemory,
  ) {
    const { text } = m;
    const main = text.define('shell_main', 0x100);
    const schedule = text.named('schedule');
    text.at(main, 0, (machine) => {
      const job = machine.work.shift();
      if (job) {
        this.awaited = job(machine) ?? null;
        if (!this.awaited) return;
      }
      machine.setCurrentSleeping();
      machine.call(schedule.address, main.address);
    });
    this.childMain = text.at(text.define('child_main', 0x100), 0, (machine) => {
      machine.cpu.rip = text.named('do_exit').address;
    });
    const shell = createTask(m, { kind: 'user', comm: 'sh', entry: main.address, argument: 0n });
    if (!shell) throw new RangeError('load: expected memory for the shell, but it ran out');
    this.shell = shell;
    m.attach(this);
    m.onExit = (task) => this.ended(task);
    this.openFiles(FILES);
  }

  snapshot(): void {
    this.saved = { files: this.inodes.length, nextFile: this.nextFile };
  }

  restore(): void {
    this.awaited = null;
    this.inodes.length = this.saved.files;
    this.nextFile = this.saved.nextFile;
  }

  /**
   * Creates files that the load will write again and again.
   *
   * @throws RangeError if memory runs out
   */
  openFiles(count: number): void {
    for (let i = 0; i < count; i++) {
      const inode = newObject(this.m, 'shmem_inode');
      if (inode === null) throw new RangeError('load: expected memory for a file, but it ran out');
      this.inodes.push(inode);
    }
  }

  /** Has the shell do `jobs`, one after the other, and lets the machine come to rest. */
  do(...jobs: Job[]): void {
    const { m, shell } = this;
    if (shell.state === 'dead') return;
    this.hasChildren = false;
    m.work.push(...jobs);
    wakeUpProcess(m, shell);
    m.run();
    if (!this.hasChildren || m.state !== 'alive') return;
    // Their exit ends the shell's wait().
    wakeUpProcess(m, shell);
    m.run();
  }

  /** Stops sleeping threads, one after the other: kthread_stop() returns when the thread has ended. */
  stop(probes: readonly Probe[]): void {
    const { m } = this;
    const jobs = probes.map((probe) => (machine: Machine) => {
      if (probe.task.state !== 'sleeping') return null;
      stopProbe(machine, probe);
      return probe.task;
    });
    this.do(...jobs);
    // One that never ends is waited for in vain; the others are stopped all the same.
    for (let left = Infinity; m.work.length > 0 && m.work.length < left && m.state === 'alive';) {
      left = m.work.length;
      this.do();
    }
  }

  /** A task has ended: who waits for it goes on. */
  private ended(task: Task): void {
    if (task !== this.awaited) return;
    this.awaited = null;
    wakeUpProcess(this.m, this.shell);
  }

  /** A command of the shell: one child that exits. */
  command(): void {
    this.do((m) => this.fork(m));
  }

  /** One round of the load: children that live side by side and exit, mappings, a file, a look at memory. */
  round(children: number): void {
    this.do(
      (m) => {
        for (let i = 0; i < children; i++) this.fork(m);
      },
      (m) => this.mapAndUnmap(m),
      (m) => this.writeFile(m),
      () => this.memory.verify(),
    );
  }

  /** fork(): the child touches a few pages, uses what it owns and exits. */
  private fork(m: Machine): void {
    const child = createTask(m, {
      kind: 'user',
      comm: 'child',
      entry: this.childMain,
      argument: 0n,
    });
    if (!child) return;
    for (let i = 0; i < CHILD_PAGES; i++) {
      const pfn = m.pageAllocator.allocPages(0, { class: 'anon', migratetype: 'MOVABLE' });
      if (pfn === null) break;
      m.fill(m.directMap.physToVirt(BigInt(pfn) << 12n), 4096, 0);
      child.pages.push(pfn);
    }
    wakeUpProcess(m, child);
    this.hasChildren = true;
  }

  /** mmap() and munmap(): a node of the tree of mappings comes and goes. */
  private mapAndUnmap(m: Machine): void {
    const node = newObject(m, 'maple_node');
    if (node === null) return;
    useObject(m, 'maple_node', node);
    m.freeObject(OBJECT_TYPES.maple_node.cache, node);
  }

  /**
   * open(O_TRUNC) and write(): takes the inode's lock and follows its operations. The bytes themselves are not
   * copied; whether the kernel would is asked.
   */
  private writeFile(m: Machine): void {
    const { inodes } = this;
    for (let i = 0; i < FILES_A_ROUND; i++) {
      if (m.threadInfo && !m.threadInfo.accessOk(BUFFER, BUFFER_SIZE)) {
        m.printk('sh: write error: Bad address');
        return;
      }
      const inode = inodes[this.nextFile++ % inodes.length];
      if (useObject(m, 'shmem_inode', inode)) continue;
      m.setCurrentSleeping();
      return;
    }
  }
}
