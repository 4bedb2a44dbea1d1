import type { VirtAddr } from '../x86/addr';
import { runAndObserve, type OverrunReport } from './aftermath';
import { chainOf, layOutChain, type ChainFrame, type Fill } from './call-chain';
import {
  eraOf,
  kernelConfig,
  PT_REGS_SIZE,
  type Era,
  type KernelConfig,
  type KernelOptions,
} from './config';
import type { DetectorCost } from './detectors/costs';
import { StackTracer } from './detectors/stack-tracer';
import type { Machine } from './machine';
import { buildScene, type NeighbourKind } from './scene';
import { wakeUpProcess } from './scheduler';
import { restartTask, stackTop, type Task } from './task';
import { WriteWatch } from './write-watch';
import { isDeeper, TraceError, whatIsMissing, type StackTrace } from './trace';

export interface ReplayOptions extends KernelOptions {
  /** The era whose stack the trace is replayed in: that of `kernel`, or with stacks as large as the trace's, unless given. */
  readonly era?: Era;
  readonly seed?: number;
  readonly neighbour?: NeighbourKind;
  /** How much of their locals the frames write; every byte unless given. */
  readonly fill?: Fill;
  /** Runs the stack tracer during the replay. */
  readonly stackTracer?: boolean;
  /** Replays the frames of another architecture as if they were x86-64's. */
  readonly asX86?: boolean;
}

const FILLS: readonly Fill[] = ['dense', 'sparse', 'none'];

/** One frame of the replay, as it lay on the simulated stack. */
export interface ReplayStep {
  readonly fn: string;
  /** Bytes from the top of the stack to RSP when its callee had been called. */
  readonly depth: number;
  readonly rsp: VirtAddr;
}

export interface ReplayReport extends OverrunReport {
  readonly maxDepth: number;
  /** The innermost lines are missing: the chain went deeper than `maxDepth`, and `headroom` is at most what was left. */
  readonly deeper: boolean;
  /** Number of entries that are listed, and of the whole trace. */
  readonly entries: number;
  readonly totalEntries: number;
  /** What of the trace is not listed, in sentences. */
  readonly missing: readonly string[];
  /** THREAD_SIZE of the replay, bytes. */
  readonly stackSize: number;
  /** Bytes above end magic and on-stack thread_info. */
  readonly usable: number;
  /** usable − maxDepth; negative when the trace does not fit. */
  readonly headroom: number;
  readonly era: Era;
  /** Frames that were entered, outermost first; the last one is where it ended if it did not fit. */
  readonly steps: readonly ReplayStep[];
  /** The text of /sys/kernel/tracing/stack_trace at the deepest point; null without the stack tracer. */
  readonly stackTrace: string | null;
  /** What the stack tracer did for it; null without it. */
  readonly tracerCost: DetectorCost | null;
}

/**
 * Replays a trace frame by frame on the stack of a simulated kernel, returns through it, and looks at what
 * the frames hit.
 *
 * @throws TraceError for a trace of another architecture
 * @throws RangeError for a configuration that Linux refuses
 */
export function replay(trace: StackTrace, options: ReplayOptions = {}): ReplayReport {
  const { kernel } = options;
  const recorded = trace.stackSize <= 8192 ? '8k' : '16k';
  const era = options.era ?? (kernel === undefined ? recorded : eraOf(kernel));
  const config = kernelConfig(era, options);
  return replayOn(trace, config, options);
}

function replayOn(trace: StackTrace, config: KernelConfig, options: ReplayOptions): ReplayReport {
  if (!/^x86[_-]64\b/.test(trace.arch) && !options.asX86) {
    throw new TraceError(
      `arch: expected a trace of x86_64, got ${trace.arch}; its frames mean nothing on another`,
    );
  }
  const { fill = 'dense' } = options;
  if (!FILLS.includes(fill)) {
    throw new RangeError(`fill: expected ${FILLS.join(', ')}, got ${JSON.stringify(fill)}`);
  }
  const neighbour = options.neighbour ?? (config.VMAP_STACK ? 'any' : 'stack');
  const scene = buildScene(config, { seed: options.seed ?? 1, neighbour });
  const { machine } = scene;
  machine.snapshot();
  const steps: ReplayStep[] = [];
  const watch = new WriteWatch();
  const task = scene.chosen.task;
  const tracer = options.stackTracer ? new StackTracer() : null;
  const chain = chainOf(trace);
  const start = layOutTrace(machine, task, chain, fill, steps, watch, tracer);
  const report = runAndObserve(scene, task, watch, () => {
    restartTask(machine, task, start);
    wakeUpProcess(machine, task);
    machine.run();
  });
  return {
    ...report,
    maxDepth: trace.maxDepth,
    deeper: isDeeper(trace),
    entries: trace.entries.length,
    totalEntries: trace.totalEntries,
    missing: whatIsMissing(trace),
    stackSize: config.THREAD_SIZE,
    usable: config.usable,
    headroom: config.usable - trace.maxDepth,
    era: config.era,
    steps,
    stackTrace: tracer && tracer.text(machine),
    tracerCost: tracer && machine.detectors.of('stack-tracer'),
  };
}

/** Lays out the task that makes the trace's calls and then sleeps; returns where it starts. */
function layOutTrace(
  m: Machine,
  task: Task,
  frames: readonly ChainFrame[],
  fill: Fill,
  steps: ReplayStep[],
  watch: WriteWatch,
  tracer: StackTracer | null,
): VirtAddr {
  const top = stackTop(m, task);
  // What lies above the outermost return address is the entry code's: registers, no frame of a function.
  const held = Math.min(frames[0].size - 8, PT_REGS_SIZE);
  const wait = m.text.define('wait_for_next_trace', 0x40);
  const done = m.text.at(wait, 0x10, (machine) => {
    machine.watch = null;
    machine.setCurrentSleeping();
    machine.call(machine.text.named('schedule').address, done);
  });
  const chain = layOutChain(m, frames, {
    fill,
    firstFrameHolds: held,
    done,
    onFrame: (frame, rsp) => steps.push({ fn: frame.fn, depth: Number(top - rsp), rsp }),
    onCalled: (rsp) => tracer?.check(m, task, rsp),
  });
  return m.text.at(wait, 0, (machine) => {
    machine.watch = watch;
    machine.cpu.rsp = top - BigInt(held);
    machine.cpu.rip = chain;
  });
}
