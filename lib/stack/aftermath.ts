import type { PhysAddr, VirtAddr } from '../x86/addr';
import type { Fault } from '../x86/fault';
import type { PageClass } from '../mm/page-info';
import { endOfStackOffset } from './config';
import type { Machine, MachineState } from './machine';
import type { Scene } from './scene';
import {
  firstSymptom,
  type Detector,
  type Neighbour,
  type Outcome,
  type OwnDamage,
  type Phase,
  type Victim,
} from './report';
import { stackTop, type Task } from './task';
import type { WriteWatch } from './write-watch';

/** What an overrun did and what came of it. */
export interface OverrunReport {
  readonly outcome: Outcome;
  readonly phase: Phase | null;
  readonly machine: MachineState;
  /** `killed` if it never runs again: an oops has ended it, or the machine has stopped under it. */
  readonly task: 'alive' | 'killed';
  readonly detector: Detector | null;
  /** Context switches between the start of the overrunning code and the first symptom; null without one. */
  readonly noticedAfter: number | null;
  readonly victims: readonly Victim[];
  readonly ownDamage: OwnDamage;
  /** When the CPU delivered the first exception; the lowest of the overrunning code if there was none. */
  readonly rsp: VirtAddr;
  /** When the CPU delivered the first exception; null without a page fault. */
  readonly cr2: VirtAddr | null;
  readonly console: readonly string[];
  readonly kernel: string;
  /** The version whose behaviour was modelled. */
  readonly modelled: string;
  readonly patched: boolean;
  readonly seed: number;
  readonly stackBase: VirtAddr;
  readonly neighbour: Neighbour;
}

/**
 * Lets `task` run into its overrun, then the rest of the machine go on, and looks at what became of both.
 *
 * @param watch collects what the overrunning code writes, from when it starts
 * @param begin makes the task runnable and starts the machine
 */
export function runAndObserve(
  scene: Scene,
  task: Task,
  watch: WriteWatch,
  begin: () => void,
): OverrunReport {
  const { machine: m } = scene;
  const below = task.stack - PAGE;
  const bottom = m.frameOf(task.stack);
  if (bottom === null) throw new TypeError('task: expected one whose stack is mapped');
  const before = pageBytes(m, below);
  const belowClass = before && classAt(m, below);
  const earlier = m.deliveries.length;

  let phase: Phase | null = null;
  let detector: Detector | null = null;
  let noticedAfter: number | null = null;
  const start = m.switches;
  let seen = m.console.length;
  const note = (now: Phase) => {
    const symptom = firstSymptom(m.console.slice(seen));
    const printed = symptom && m.console.indexOf(symptom.line, seen);
    seen = m.console.length;
    if (phase !== null) return;
    if (symptom) [phase, detector] = [now, symptom.detector];
    else if (m.state !== 'alive')
      [phase, detector] = [now, m.state === 'reset' ? 'triple-fault' : null];
    else return;
    noticedAfter = (printed === null ? m.switches : m.printedAt[printed]) - start;
  };

  begin();
  scene.load.command();
  note('immediate');
  const first = m.deliveries[earlier];
  const victims = countVictims(m, task, watch);
  const ownDamage = damageToBottom(m, task, bottom);
  const after = pageBytes(m, below);

  for (let round = 0; round < ROUNDS && m.state === 'alive'; round++) {
    scene.load.round(1 + (round % 3));
    note('activity');
  }
  if (m.state === 'alive') scene.load.stop(scene.probes);
  note('wake');
  if (m.state === 'alive') scene.load.round(1);
  note('final');
  const changed = victims.length > 0 || ownDamage.endMagic || ownDamage.threadInfo.length > 0;
  return {
    outcome:
      phase === 'immediate'
        ? 'immediate'
        : phase !== null
          ? 'delayed'
          : changed
            ? 'silent'
            : 'none',
    phase,
    machine: m.state,
    task: task.state === 'dead' || m.state !== 'alive' ? 'killed' : 'alive',
    detector,
    noticedAfter,
    victims,
    ownDamage,
    rsp: first ? first.rsp : (watch.lowestRsp ?? stackTop(m, task)),
    cr2: first ? lastPageFault(first.delivery.faults) : null,
    console: [...m.console],
    kernel: m.config.version,
    modelled: m.config.modelled,
    patched: m.config.patched,
    seed: m.random.seed,
    stackBase: task.stack,
    neighbour: { class: belowClass, address: below, before, after },
  };
}

const PAGE = 4096n;
/** Rounds of the load between the overrun and the waking of every sleeper: 5 s of it on the recorded guests. */
const ROUNDS = 6;

function pageBytes(m: Machine, address: VirtAddr): Uint8Array | null {
  const pa = m.frameOf(address);
  return pa === null ? null : m.memory.readBytes(pa, Number(PAGE));
}

function classAt(m: Machine, address: VirtAddr): PageClass | null {
  const pa = m.frameOf(address);
  return pa === null ? null : m.pageAllocator.pageInfo.classOf(Number(pa >> 12n));
}

function lastPageFault(faults: readonly Fault[]): VirtAddr | null {
  const fault = [...faults].reverse().find(({ mnemonic }) => mnemonic === '#PF');
  return fault?.address ?? null;
}

/** Bytes outside the task's stack that the watched writes changed, by class of the page they lie in. */
function countVictims(m: Machine, task: Task, watch: WriteWatch): Victim[] {
  const byClass = new Map<PageClass, { pages: number; bytesChanged: number }>();
  for (const [page, mask] of [...watch.pages].sort(([a], [b]) => a - b)) {
    const address = BigInt(page) << 12n;
    if (address >= task.stack && address < stackTop(m, task)) continue;
    const pa = m.frameOf(address);
    if (pa === null) continue;
    const old = m.memory.atCheckpoint(Number(pa >> 12n));
    const now = m.memory.readBytes(pa, Number(PAGE));
    let changed = 0;
    for (let i = 0; i < mask.length; i++) if (mask[i] && old[i] !== now[i]) changed++;
    if (changed === 0) continue;
    const kind = m.pageAllocator.pageInfo.classOf(Number(pa >> 12n));
    const sum = byClass.get(kind) ?? { pages: 0, bytesChanged: 0 };
    byClass.set(kind, { pages: sum.pages + 1, bytesChanged: sum.bytesChanged + changed });
  }
  return [...byClass].map(([kind, sum]) => ({ class: kind, ...sum }));
}

/** What changed of thread_info and the end magic at the bottom of the task's own stack. */
function damageToBottom(m: Machine, task: Task, pa: PhysAddr): OwnDamage {
  const { config } = m;
  const old = m.memory.atCheckpoint(Number(pa >> 12n));
  // A stack that a killed task gave back may be somebody else's by now.
  const now = m.bottoms.get(task) ?? m.memory.readBytes(pa, Number(PAGE));
  const differs = (offset: number, size: number) =>
    old.subarray(offset, offset + size).some((byte, i) => byte !== now[offset + i]);
  const fields = config.THREAD_INFO_IN_TASK ? [] : config.threadInfo.fields;
  return {
    endMagic: differs(endOfStackOffset(config), 8),
    threadInfo: fields.filter(({ offset, size }) => differs(offset, size)).map(({ name }) => name),
    before: old,
    after: now,
  };
}
