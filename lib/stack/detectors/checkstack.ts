import type { StackTrace, TraceEntry } from '../trace';

/** CONFIG_FRAME_WARN on 64 bits: 2048 in 3.14, 4.9 and 6.19. */
export const FRAME_WARN = 2048;
/** scripts/checkstack.pl leaves smaller frames out. */
const LEAST = 100;

/** One function's frame, as a look at the object code or at a trace gives it. */
export interface FrameSize {
  readonly fn: string;
  readonly module?: string;
  /**
   * Bytes of pushed registers and locals at most: a trace gives the distance between return addresses, from
   * which the return address is taken off.
   */
  readonly bytes: number;
}

function frameOf({ fn, module, size }: TraceEntry): FrameSize {
  return { fn, module, bytes: size - 8 };
}

/**
 * What scripts/checkstack.pl would list, largest first, of the functions of a trace: a static look, made
 * before anything runs, which knows of no call chain, no alloca and no recursion.
 *
 * The script reads `sub $imm,%rsp` from the object code and so leaves pushed registers out; here they are in.
 */
export function checkstack(trace: StackTrace, least: number = LEAST): FrameSize[] {
  const largest = new Map<string, FrameSize>();
  for (const frame of trace.entries.map(frameOf)) {
    const key = `${frame.module ?? 'vmlinux'} ${frame.fn}`;
    if (frame.bytes >= least && frame.bytes > (largest.get(key)?.bytes ?? 0))
      largest.set(key, frame);
  }
  return [...largest.values()].sort((a, b) => b.bytes - a.bytes || (a.fn < b.fn ? -1 : 1));
}

/** The script's lines, without the addresses, which a trace does not have. */
export function checkstackText(frames: readonly FrameSize[]): string {
  return frames
    .map(({ fn, module, bytes }) => `${`${fn} [${module ?? 'vmlinux'}]:`.padEnd(48)}${bytes}\n`)
    .join('');
}

/**
 * What the compiler would warn of with -Wframe-larger-than: no more than the largest single frames of a
 * trace, however deep it is.
 */
export function frameWarnings(trace: StackTrace, limit: number = FRAME_WARN): string[] {
  return checkstack(trace, limit + 1).map(
    ({ fn, bytes }) =>
      `${fn}: warning: the frame size of ${bytes} bytes is larger than ${limit} bytes [-Wframe-larger-than=]`,
  );
}
