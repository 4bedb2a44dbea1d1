import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { endOfStackOffset, kernelConfig } from '../../lib/stack/config';
import { Machine } from '../../lib/stack/machine';
import {
  command,
  startProbe,
  wakeProbe,
  type Probe,
  type ProbeCommand,
} from '../../lib/stack/probe';

/**
 * A recorded boot of the stock kernel, read from its console: which stacks lay where, what the module was
 * told to do, and what the kernel said. It is run again from these parameters alone.
 */
export interface RecordedBoot {
  readonly file: string;
  readonly hashed: boolean;
  readonly kaslr: boolean;
  readonly stacks: readonly { readonly pid: number; readonly base: bigint }[];
  readonly commands: readonly { readonly id: number; readonly command: ProbeCommand }[];
  /** Lines of the kernel from the first command on. */
  readonly console: readonly string[];
  /** What each thread said that came back from its command. */
  readonly returned: readonly { readonly pid: number; deepest: bigint; magic: bigint }[];
  /** Pids that ps showed at the end; null if the machine did not live that long. */
  readonly alive: readonly number[] | null;
}

export const CONSOLE = join(__dirname, '..', 'fixtures', 'console');

const THREAD_SIZE = 16384;
const DEEPEST_IN_KT = 64n + 16n;

export function readBoot(file: string): RecordedBoot {
  const text = readFileSync(join(CONSOLE, file), 'utf8');
  const stacks: { pid: number; base: bigint }[] = [];
  const commands: { id: number; command: ProbeCommand }[] = [];
  const console: string[] = [];
  const returned: { pid: number; deepest: bigint; magic: bigint }[] = [];
  const alive: number[] = [];
  for (const line of text.split('\n')) {
    const stamped = /^\[ *\d+\.\d+\] (.*)$/.exec(line);
    const said = stamped?.[1] ?? line;
    const stack = /^KSTK stack pid (\d+) .* base ([0-9a-f]+) /.exec(said);
    if (stack) stacks.push({ pid: Number(stack[1]), base: BigInt(`0x${stack[2]}`) });
    const told = toldBy(said);
    if (told) commands.push(told);
    const back =
      /^KSTK thread id \d+ pid (\d+) back alive .* deepest ([0-9a-f]+) .* magic ([0-9a-f]+)/.exec(
        said,
      );
    if (back) {
      const [pid, deepest, magic] = [Number(back[1]), `0x${back[2]}`, `0x${back[3]}`];
      returned.push({ pid, deepest: BigInt(deepest), magic: BigInt(magic) });
    }
    const folded = /^ {4}\.\.\. \(previous line/.test(line);
    if (commands.length > 0 && (stamped || folded) && !said.startsWith('KSTK')) console.push(said);
    const process = /^ *(\d+) 0 +\[kstk\/\d+\]/.exec(line);
    if (process) alive.push(Number(process[1]));
  }
  const hashed = / (BUG: .*guard page was hit at) 00000000[0-9a-f]{8} /.test(text);
  const kaslr = !/Command line: .*nokaslr/.test(text);
  return {
    file,
    hashed,
    kaslr,
    stacks,
    commands,
    console,
    returned,
    alive: alive.length ? alive : null,
  };
}

function toldBy(line: string): { id: number; command: ProbeCommand } | null {
  const run =
    /^KSTK RUN id (\d+) pid \d+ frame (\d+) over (-?\d+) fill (\d+) base ([0-9a-f]+)/.exec(line);
  if (run) {
    const [id, frame, over, fill] = run.slice(1, 5).map(Number);
    const base = BigInt(`0x${run[5]}`);
    const limit = over < 0 ? 0n : base - BigInt(over);
    return { id, command: { do: 'recurse', frame, limit, dense: fill !== 0 } };
  }
  const jump = /^KSTK JUMP id (\d+) pid \d+ below (\d+) touch 0 /.exec(line);
  if (jump) {
    const frame = THREAD_SIZE - 512 + Number(jump[2]);
    return { id: Number(jump[1]), command: { do: 'jump', frame } };
  }
  const access = /^KSTK (poke|peek) id (\d+) pid \d+ off -?\d+ addr ([0-9a-f]+) /.exec(line);
  if (!access) return null;
  const address = BigInt(`0x${access[3]}`);
  return { id: Number(access[2]), command: { do: access[1] as 'poke' | 'peek', address } };
}

/** Runs a recorded boot again: the same threads on stacks at the same places, told the same. */
export function runAgain(boot: RecordedBoot): {
  machine: Machine;
  returned: RecordedBoot['returned'];
} {
  const config = kernelConfig('vmap', {
    stackBase: boot.stacks[0].base,
    hashPointers: boot.hashed,
    kaslr: boot.kaslr,
  });
  const machine = new Machine(config);
  const probes = boot.stacks.map(({ pid, base }, id): Probe => {
    machine.nextPid = pid;
    machine.nextStack = base;
    const probe = startProbe(machine, id);
    if (!probe) throw new Error(`${boot.file}: no memory for thread ${id}`);
    return probe;
  });
  const returned: { pid: number; deepest: bigint; magic: bigint }[] = [];
  for (const { id, command: what } of boot.commands) {
    const probe = probes[id];
    const { task, kt } = probe;
    command(machine, probe, what);
    const done = machine.peek64(kt + 40n);
    wakeProbe(machine, probe);
    if (machine.peek64(kt + 40n) === done) continue;
    returned.push({
      pid: task.pid,
      deepest: machine.peek64(kt + DEEPEST_IN_KT)!,
      magic: machine.peek64(task.stack + BigInt(endOfStackOffset(config)))!,
    });
  }
  return { machine, returned };
}
