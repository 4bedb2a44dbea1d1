import type { VirtAddr } from '../x86/addr';
import type { FrameRule } from './kernel-text';
import type { Machine } from './machine';
import type { StackTrace } from './trace';

/** How much of its locals a frame writes: every byte, the lowest byte, or nothing. */
export type Fill = 'dense' | 'sparse' | 'none';

/** One call of a chain, outermost first. */
export interface ChainFrame {
  readonly fn: string;
  /** Offset of the return address in `fn`, and the length of `fn`, bytes. */
  readonly offset: number;
  readonly length: number;
  readonly module?: string;
  /** Bytes from the return address into the caller down to the one this frame's callee gets. */
  readonly size: number;
}

/** Registers a function may save, in the order in which compilers push them. */
const CALLEE_SAVED = ['rbp', 'r15', 'r14', 'r13', 'r12', 'rbx'] as const;

const LOCAL_BYTE = 0xa5;

/**
 * The frames of a trace, outermost first. What a partial trace leaves out becomes one frame at its place,
 * so that every listed frame has its real depth, and the innermost one the depth of the whole trace.
 *
 * The outermost frame of a trace begins at the top of the stack with pt_regs, which are there already.
 */
export function chainOf(trace: StackTrace): ChainFrame[] {
  const frames: ChainFrame[] = [];
  let above = 0;
  const leaveRoom = (size: number) => {
    if (size > 0) frames.push({ fn: 'not_listed', offset: 0x10, length: 0x20, size });
  };
  for (const entry of [...trace.entries].reverse()) {
    leaveRoom(entry.depth - entry.size - above);
    const [offset, length] = offsets(entry.off);
    frames.push({ fn: entry.fn, offset, length, module: entry.module, size: entry.size });
    above = entry.depth;
  }
  leaveRoom(trace.maxDepth - above);
  return frames;
}

function offsets(off: string | undefined): [offset: number, length: number] {
  const match = /^(0x[0-9a-f]+)\/(0x[0-9a-f]+)$/i.exec(off ?? '');
  return match ? [Number(match[1]), Number(match[2])] : [0x10, 0x20];
}

export interface ChainOptions {
  readonly fill: Fill;
  /** Bytes at the outer end of the first frame that are there already: pt_regs. */
  readonly firstFrameHolds: number;
  /** Address to return to when the outermost frame is left. */
  readonly done: VirtAddr;
  /** Called when a frame is about to call: `rsp` is where the return address goes. */
  readonly onFrame?: (frame: ChainFrame, rsp: VirtAddr) => void;
  /** Called when it has called: RSP is where the return address lies, the callee has done nothing yet. */
  readonly onCalled?: (rsp: VirtAddr) => void;
}

/**
 * Lays out code that makes the calls of `frames` one inside the other and then returns through all of them.
 *
 * A frame saves as many callee-saved registers as fit (up to six: which ones the real function saved, a
 * trace does not say), writes its locals as `fill` says, from low to high addresses, and calls the next.
 * On the way back each frame is left by popping what memory holds by then.
 *
 * @returns the address at which the chain starts; go there with RSP above the outermost frame
 * @throws RangeError for a frame that has no room for its return address or is no multiple of 4 bytes
 */
export function layOutChain(
  m: Machine,
  frames: readonly ChainFrame[],
  options: ChainOptions,
): VirtAddr {
  const calls = frames.map((frame, index) => {
    const held = index === 0 ? options.firstFrameHolds : 0;
    const body = frame.size - 8 - held;
    if (body < 0 || body % 4 !== 0) {
      throw new RangeError(
        `${frame.fn}: expected a frame of at least ${8 + held} bytes and a multiple of 4, got ${frame.size}`,
      );
    }
    const saved = CALLEE_SAVED.slice(0, Math.min(CALLEE_SAVED.length, Math.floor(body / 8)));
    const locals = body - 8 * saved.length;
    const fn = m.text.variant(frame.fn, frame.length, frame.module);
    const rule: FrameRule =
      index === 0
        ? { kind: 'end' }
        : {
            kind: 'frame',
            base: 'rsp',
            offset: frame.size,
            savedRbp: saved.length > 0 ? -16 : null,
          };
    const known = fn.address + BigInt(frame.offset);
    if (isSameFrame(m.text.frameRule(known), rule))
      return { frame, saved, locals, entry: fn.address, back: known };
    const back = m.text.at(fn, freeOffset(m, fn.address, frame.offset), (machine) => {
      machine.cpu.rsp += BigInt(locals);
      for (const register of [...saved].reverse()) machine.cpu.gpr[register] = machine.pop();
      if (index === 0) machine.cpu.rip = options.done;
      else machine.ret();
    });
    m.text.setFrameRule(back, rule);
    return { frame, saved, locals, entry: fn.address, back };
  });
  return m.text.at(m.text.define(`chain_${m.text.end.toString(16)}`, 0x10), 0, (machine) => {
    const { cpu } = machine;
    calls.forEach(({ frame, saved, locals, entry, back }) => {
      cpu.rip = entry;
      for (const register of saved) machine.push(cpu.gpr[register]);
      cpu.rsp -= BigInt(locals);
      if (options.fill === 'dense') machine.fill(cpu.rsp, locals, LOCAL_BYTE);
      else if (options.fill === 'sparse' && locals > 0) machine.store8(cpu.rsp, LOCAL_BYTE);
      options.onFrame?.(frame, cpu.rsp - 8n);
      machine.push(back);
      options.onCalled?.(cpu.rsp);
    });
    machine.ret();
  });
}

/** The same call met again in a chain: one piece of code serves both. */
function isSameFrame(known: FrameRule | undefined, rule: FrameRule): boolean {
  return known?.kind === 'frame' && rule.kind === 'frame' && known.offset === rule.offset;
}

/**
 * A trace may give one return address two frame sizes, where the tracer took a word of a frame for a return
 * address. They can't share a piece of code: the second moves on by a byte.
 */
function freeOffset(m: Machine, address: VirtAddr, offset: number): number {
  while (m.text.code(address + BigInt(offset))) offset++;
  return offset;
}
