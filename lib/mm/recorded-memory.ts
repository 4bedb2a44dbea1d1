import recorded from '../data/recorded-memory.json';

/** What a real machine showed of its memory at one moment. */
export interface RecordedMemory {
  /** Text of /proc/buddyinfo. */
  readonly buddyinfo: string;
  /** Some lines of /proc/meminfo. */
  readonly meminfo: string;
}

const textOf = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');

const momentOf = ({ buddyinfo, meminfo }: { buddyinfo: string[]; meminfo: string[] }) => ({
  buddyinfo: textOf(buddyinfo),
  meminfo: textOf(meminfo),
});

/**
 * A 6.1.192 guest of 256 MiB under QEMU at three moments: `fresh`, soon after boot; `parked`, with 500
 * more kernel threads asleep; `fragmented`, after a user program had freed every second page of 150 MiB.
 */
export const RECORDED_MEMORY: Readonly<Record<'fresh' | 'parked' | 'fragmented', RecordedMemory>> =
  {
    fresh: momentOf(recorded.fresh),
    parked: momentOf(recorded.parked),
    fragmented: momentOf(recorded.fragmented),
  };
