import { hex } from '../x86/addr';
import type { OverrunReport } from './aftermath';
import type { ReplayReport } from './replay';

/** A report in words, console last. */
export function summary(report: OverrunReport | ReplayReport): string {
  const lines = 'headroom' in report ? replayLines(report) : [];
  lines.push(`kernel ${kernelText(report)}, stack at ${hex(report.stackBase)}`);
  lines.push(outcomeText(report));
  const { ownDamage } = report;
  if (ownDamage.endMagic) lines.push('end magic: overwritten');
  if (ownDamage.threadInfo.length > 0)
    lines.push(`thread_info overwritten: ${ownDamage.threadInfo.join(', ')}`);
  for (const { class: kind, pages, bytesChanged } of report.victims) {
    lines.push(
      `victim: ${pages} page${pages > 1 ? 's' : ''} of class ${kind}, ${bytesChanged} bytes changed`,
    );
  }
  if (report.console.length > 0)
    lines.push('console:', ...report.console.map((line) => `  ${line}`));
  return lines.join('\n');
}

function replayLines({ headroom, maxDepth, usable, deeper, ...report }: ReplayReport): string[] {
  const { entries, totalEntries, missing } = report;
  const frames = entries === totalEntries ? `${entries}` : `${entries} of ${totalEntries}`;
  const [least, most] = deeper ? ['at least ', 'at most '] : ['', ''];
  const fit =
    headroom >= 0 ? `${most}${headroom} bytes to spare` : `${least}${-headroom} bytes too deep`;
  return [
    `${frames} frames, ${least}${maxDepth} bytes deep, in a stack of ${usable} usable bytes: ${fit}`,
    ...missing,
    ...(deeper
      ? ['What follows is of the listed part alone: how deep the rest went is not known.']
      : []),
  ];
}

function kernelText({ kernel, modelled, patched }: OverrunReport): string {
  const as = modelled === kernel ? '' : ` (modelled as ${modelled})`;
  return `${kernel}${as}${patched ? ', patched THREAD_SIZE' : ''}`;
}

function outcomeText({ outcome, phase, detector, machine, task }: OverrunReport): string {
  if (outcome === 'none') return 'nothing happened: no byte outside the stack was changed';
  if (outcome === 'silent') return 'silent: bytes were overwritten and nothing noticed';
  const when = phase === 'immediate' ? 'at once' : `later (${phase})`;
  return `noticed ${when} by ${detector ?? 'nobody'}; machine: ${machine}, task: ${task}`;
}
