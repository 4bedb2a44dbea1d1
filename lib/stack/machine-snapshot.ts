import type { CpuState } from '../x86/cpu';
import type { Machine } from './machine';
import type { Task } from './task';

/** What a snapshot keeps that lies neither in memory nor in a part with a snapshot of its own. */
export class MachineSnapshot {
  private readonly cpu: CpuState;
  private readonly values: ReturnType<typeof valuesOf>;
  private readonly tasks: readonly Task[];
  /** Of each task what changes while it lives. */
  private readonly lives: readonly Pick<Task, 'state' | 'pages'>[];
  private readonly lists: readonly (readonly unknown[])[];
  private readonly maps: readonly ReadonlyMap<unknown, unknown>[];
  /** How long the logs were, which are only ever added to. */
  private readonly logged: readonly number[];

  constructor(m: Machine) {
    this.cpu = m.cpu.snapshot();
    this.values = valuesOf(m);
    this.tasks = [...m.tasks];
    this.lives = m.tasks.map(({ state, pages }) => ({ state, pages: [...pages] }));
    this.lists = listsOf(m).map((list) => [...list]);
    this.maps = mapsOf(m).map((map) => new Map(map));
    this.logged = logsOf(m).map(({ length }) => length);
  }

  restore(m: Machine): void {
    m.cpu.restore(this.cpu);
    Object.assign(m, this.values);
    m.setTasks(this.tasks);
    this.tasks.forEach((task, i) => {
      const { state, pages } = this.lives[i];
      task.state = state;
      if (task.pages.length > 0 || pages.length > 0) task.pages.splice(0, Infinity, ...pages);
    });
    listsOf(m).forEach((list, i) => list.splice(0, Infinity, ...this.lists[i]));
    mapsOf(m).forEach((map, i) => {
      map.clear();
      for (const [key, value] of this.maps[i]) map.set(key, value);
    });
    logsOf(m).forEach((log, i) => (log.length = this.logged[i]));
  }
}

const valuesOf = (m: Machine) => ({
  switches: m.switches,
  nextPid: m.nextPid,
  nextStack: m.nextStack,
  lazyPgd: m.lazyPgd,
  probeModuleLoaded: m.probeModuleLoaded,
  state: m.state,
  idle: m.idle,
  oopses: m.oopses,
  kasanReported: m.kasanReported,
  watch: m.watch,
  nextWatch: m.nextWatch,
});

const listsOf = (m: Machine): unknown[][] => [m.runQueue, m.cachedStacks, m.exited, m.work];
const mapsOf = (m: Machine) => [m.stackPayers, m.bottoms] as Map<unknown, unknown>[];
const logsOf = (m: Machine): unknown[][] => [m.console, m.printedAt, m.deliveries];
