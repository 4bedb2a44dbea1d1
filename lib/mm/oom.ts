import { gfpText, type Gfp } from './gfp';
import { byVersion, sinceVersion } from './kernel-version';

/** A process as the OOM killer sees it: sizes in pages, except the page tables. */
export interface OomTask {
  readonly pid: number;
  readonly tgid: number;
  readonly uid: number;
  readonly name: string;
  readonly totalVm: number;
  /** Resident: anonymous, file and shared memory together. */
  readonly rssAnon: number;
  readonly rssFile: number;
  readonly rssShmem: number;
  readonly pgtablesBytes: number;
  readonly swapents: number;
  /** −1000 (never) to 1000. */
  readonly oomScoreAdj: number;
}

/** What the machine's owner supplies, so that memory can be had by killing somebody. */
export interface OomKiller {
  /** Processes with memory of their own, in the order of the task list; kernel threads have none. */
  tasks(): readonly OomTask[];
  /** Kills the process and gives its memory back: at once, or as soon as it has left the kernel. */
  kill(pid: number): void;
  /** tsk_is_oom_victim(current): whoever asks has been killed already; nobody else is killed for it. */
  currentIsVictim?(): boolean;
}

/** Who asked for what when memory ran out. */
export interface OomRequest {
  readonly comm: string;
  readonly order: number;
  readonly gfp: Gfp;
  readonly oomScoreAdj: number;
  readonly compaction: boolean;
  readonly version: string;
}

export const OOM_SCORE_ADJ_MIN = -1000;
/** The oom_adj of a task that may not be killed. */
const OOM_DISABLE = -17;

const rss = (task: OomTask) => task.rssAnon + task.rssFile + task.rssShmem;

/**
 * oom_badness(): what killing the task would give back, in pages, shifted by its oom_score_adj.
 * Null for a task that may not be killed.
 */
export function oomBadness(task: OomTask, totalPages: number, version: string): number | null {
  if (task.oomScoreAdj === OOM_SCORE_ADJ_MIN || task.pid === 1) return null;
  let points = rss(task) + task.swapents + Math.trunc(task.pgtablesBytes / 4096);
  // Root's processes had a bonus of 3 % before 4.17 (d46078b28889).
  if (task.uid === 0 && !sinceVersion(version, '4.17')) points -= Math.trunc((points * 3) / 100);
  return points + task.oomScoreAdj * Math.trunc(totalPages / 1000);
}

/**
 * select_bad_process(): the task with the most points; of several the last, before 5.x the first (in
 * which release that changed was not looked up). Null when nobody may be killed.
 */
export function selectVictim(
  tasks: readonly OomTask[],
  totalPages: number,
  version: string,
): OomTask | null {
  let chosen: OomTask | null = null;
  let most = -Infinity;
  const lastOfEqual = sinceVersion(version, '5.0');
  for (const task of tasks) {
    const points = oomBadness(task, totalPages, version);
    if (points === null || points < most || (points === most && !lastOfEqual)) continue;
    most = points;
    chosen = task;
  }
  return chosen;
}

/** Where the node mask stood in the first line, while it did: the one node there is, or no mask (ef8444ea01d7). */
const NODEMASK: readonly (readonly [string, string])[] = [
  ['2.6.32', ''],
  // 82e7d3abec86; logs of 4.9.0 and 4.9.24.
  ['4.9', ' nodemask=0,'],
  // "header nodemask is NULL when cpusets are disabled"; logs of 4.11-rc6 and 4.14.65, with two blanks.
  ['4.11', ' nodemask=(null), '],
  // Logs of 4.15, 4.18 and 4.19.
  ['4.15', ' nodemask=(null),'],
  ['5.0', ''],
];

/**
 * How the task that asks is rated. oom_adj, which oom_score_adj replaced, is computed from that here. Logs of
 * 2.6.31-rc1 and of 2.6.38 to 3.5; a patch to 3.7-rc ("change type of oom_score_adj to short") finds
 * oom_score_adj alone.
 */
function ratedLine(oomScoreAdj: number, version: string): string {
  const oomAdj =
    oomScoreAdj === OOM_SCORE_ADJ_MIN ? OOM_DISABLE : Math.trunc((oomScoreAdj * 15) / 1000);
  return [
    ...(sinceVersion(version, '3.7') ? [] : [`oom_adj=${oomAdj}`]),
    ...(sinceVersion(version, '2.6.38') ? [`oom_score_adj=${oomScoreAdj}`] : []),
  ].join(', ');
}

/** The lines up to where the kernel dumps its stack (dump_header). The call trace is the caller's. */
export function oomHeaderLines(request: OomRequest): string[] {
  const { comm, order, gfp, oomScoreAdj, version } = request;
  const nodemask = byVersion(version, NODEMASK);
  const lines = [
    `${comm} invoked oom-killer: gfp_mask=${gfpText(gfp)},${nodemask} order=${order}, ${ratedLine(oomScoreAdj, version)}`,
  ];
  if (!request.compaction && order > 0 && sinceVersion(version, '4.9')) {
    lines.push('COMPACTION is disabled!!!');
  }
  return lines;
}

/** A slab cache in a report: bytes in objects handed out, and in slabs. */
export interface SlabUsage {
  readonly name: string;
  readonly usedBytes: number;
  readonly totalBytes: number;
}

/** The list of slab caches that a report has when they hold more than the processes (since 4.15). */
export function unreclaimableSlabLines(caches: readonly SlabUsage[]): string[] {
  const kb = (bytes: number) => `${String(Math.trunc(bytes / 1024)).padStart(10)}KB`;
  return [
    'Unreclaimable slab info:',
    'Name                      Used          Total',
    ...caches
      .filter(({ usedBytes }) => usedBytes > 0)
      .map((cache) => `${cache.name.padEnd(17)} ${kb(cache.usedBytes)} ${kb(cache.totalBytes)}`),
  ];
}

/** The table of processes (dump_tasks); page tables in bytes since 4.16, in entries before. */
export function oomTaskLines(tasks: readonly OomTask[], version: string): string[] {
  const bytes = sinceVersion(version, '4.16');
  const head = bytes
    ? '[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name'
    : '[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name';
  const title = sinceVersion(version, '4.19') ? ['Tasks state (memory values in pages):'] : [];
  const column = (value: number, width: number) => String(value).padStart(width);
  const rows = tasks.map((task) => {
    const start = `[${column(task.pid, bytes ? 7 : 5)}] ${column(task.uid, 5)} ${column(task.tgid, 5)} ${column(task.totalVm, 8)} ${column(rss(task), 8)}`;
    const tables = bytes
      ? column(task.pgtablesBytes, 8)
      : column(Math.trunc(task.pgtablesBytes / 4096), 7);
    return `${start} ${tables} ${column(task.swapents, 8)}         ${column(task.oomScoreAdj, 5)} ${task.name}`;
  });
  return [...title, head, ...rows];
}

/** The lines about the victim. */
export function oomKillLines(victim: OomTask, totalPages: number, version: string): string[] {
  const kb = (pages: number) => `${pages * 4}kB`;
  const size = `total-vm:${kb(victim.totalVm)}, anon-rss:${kb(victim.rssAnon)}, file-rss:${kb(victim.rssFile)}`;
  const shmem = sinceVersion(version, '4.5') ? `, shmem-rss:${kb(victim.rssShmem)}` : '';
  if (!sinceVersion(version, '5.3')) {
    const points = oomBadness(victim, totalPages, version) ?? 0;
    const score = Math.trunc((points * 1000) / totalPages);
    return [
      ...oomSummary(victim, version),
      `Out of memory: Kill process ${victim.pid} (${victim.name}) score ${score} or sacrifice child`,
      `Killed process ${victim.pid} (${victim.name}) ${size}${shmem}`,
    ];
  }
  return [
    ...oomSummary(victim, version),
    `Out of memory: Killed process ${victim.pid} (${victim.name}) ${size}${shmem}, UID:${victim.uid} pgtables:${Math.trunc(victim.pgtablesBytes / 1024)}kB oom_score_adj:${victim.oomScoreAdj}`,
  ];
}

function oomSummary(victim: OomTask, version: string): string[] {
  if (!sinceVersion(version, '5.0')) return [];
  return [
    `oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=${victim.name},pid=${victim.pid},uid=${victim.uid}`,
  ];
}

/** What is said when nobody can be killed: the last line is the panic's. */
export function oomDeadlockLines(version: string): { lines: string[]; panic: string } {
  if (sinceVersion(version, '4.19')) {
    return {
      lines: ['Out of memory and no killable processes...'],
      panic: 'System is deadlocked on memory',
    };
  }
  return { lines: [], panic: 'Out of memory and no killable processes...' };
}

/** `hog: page allocation failure: order:2, mode:0x400dc0(…), nodemask=(null)` */
export function allocationFailureLine(
  comm: string,
  order: number,
  gfp: Gfp,
  version: string,
): string {
  const nodemask = sinceVersion(version, '4.11') ? ', nodemask=(null)' : '';
  return `${comm}: page allocation failure: order:${order}, mode:${gfpText(gfp)}${nodemask}`;
}
