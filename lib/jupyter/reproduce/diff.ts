/** Equal lines shown around a change. */
const CONTEXT = 2;

/** More changed lines than these are counted, not shown. */
const SHOWN = 40;

/** Lines beyond these are not aligned: the middle is then replaced as a whole. */
const ALIGNED = 1500;

interface Step {
  readonly sign: ' ' | '-' | '+';
  readonly line: string;
}

/**
 * A unified diff: lines with a blank, `-` (stored) or `+` (new) before them, `@@ line N @@` where lines
 * are left out. Empty if both are equal.
 */
export function diffLines(stored: readonly string[], fresh: readonly string[]): string[] {
  const steps = align(stored, fresh);
  const changed = steps.map(({ sign }) => sign !== ' ');
  const near = steps.map((_, i) =>
    changed.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).includes(true),
  );
  const out: string[] = [];
  let line = 0; // of the stored text
  let shown = 0;
  for (const [i, step] of steps.entries()) {
    if (step.sign !== '+') line += 1;
    if (!near[i]) continue;
    if (shown === SHOWN) {
      const more = changed.slice(i).filter(Boolean).length;
      if (more > 0) out.push(`… and ${more} more changed lines`);
      break;
    }
    if (i > 0 && !near[i - 1]) out.push(`@@ line ${Math.max(line, 1)} @@`);
    out.push(`${step.sign} ${step.line}`);
    if (changed[i]) shown += 1;
  }
  return out;
}

/** The shortest way from one list to the other, by the longest common subsequence. */
function align(a: readonly string[], b: readonly string[]): Step[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (
    end < a.length - start &&
    end < b.length - start &&
    a[a.length - 1 - end] === b[b.length - 1 - end]
  ) {
    end += 1;
  }
  const same = (lines: readonly string[]): Step[] => lines.map((line) => ({ sign: ' ', line }));
  return [
    ...same(a.slice(0, start)),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...same(a.slice(a.length - end)),
  ];
}

function middle(a: readonly string[], b: readonly string[]): Step[] {
  const removed = (line: string): Step => ({ sign: '-', line });
  const added = (line: string): Step => ({ sign: '+', line });
  if (a.length > ALIGNED || b.length > ALIGNED) return [...a.map(removed), ...b.map(added)];
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] =
        a[i] === b[j]
          ? longest[(i + 1) * width + j + 1] + 1
          : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  const steps: Step[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      steps.push({ sign: ' ', line: a[i] });
      i += 1;
      j += 1;
    } else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
      steps.push(removed(a[i++]));
    } else {
      steps.push(added(b[j++]));
    }
  }
  return [...steps, ...a.slice(i).map(removed), ...b.slice(j).map(added)];
}
