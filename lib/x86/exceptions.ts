import { isCanonical } from './addr';
import type { Cpu } from './cpu';
import { type Delivery, HandlerEntered, TripleFault } from './delivery';
import {
  type Fault,
  type FaultReason,
  hasErrorCode,
  isFault,
  makeFault,
  VECTOR_DF,
  VECTOR_GP,
  VECTOR_NP,
  VECTOR_PF,
  VECTOR_SS,
  VECTOR_TS,
} from './fault';
import { decodeDescriptor, DESCRIPTOR_SIZE, type SegmentDescriptor } from './gdt';
import { decodeGate, GATE_SIZE } from './idt';
import { RFLAGS_IF, RFLAGS_NT, RFLAGS_RF, RFLAGS_TF, RFLAGS_VM } from './registers';
import { stackPointerOffset } from './tss';

/** What is being delivered. */
interface Event {
  vector: number;
  errorCode: number;
  /** Pushed with RFLAGS.RF set: the instruction will be restarted. */
  restarts: boolean;
  /** An interrupt is benign whatever its vector, and pushes no error code. */
  interrupt: boolean;
}

/**
 * EXT in the error code of an exception met during a delivery. Only a software INT n would
 * leave it clear. SDM vol. 3, 6.13.
 */
const EXT = 1;

const CONTRIBUTORY: readonly number[] = [0, VECTOR_TS, VECTOR_NP, VECTOR_SS, VECTOR_GP, 21];
/** Traps and aborts: their frame is pushed with RF as it is. */
const NOT_RESTARTING: readonly number[] = [1, 2, 3, 4, VECTOR_DF, 18];

type Class = 'benign' | 'contributory' | 'page-fault' | 'double-fault';

function classOf(vector: number): Class {
  if (vector === VECTOR_DF) return 'double-fault';
  if (vector === VECTOR_PF || vector === 20) return 'page-fault';
  return CONTRIBUTORY.includes(vector) ? 'contributory' : 'benign';
}

/** What a second exception during the delivery of a first makes. SDM vol. 3, 6.15, table 6-5. */
export function combine(first: number, second: number): 'serial' | 'double-fault' | 'triple-fault' {
  const [a, b] = [classOf(first), classOf(second)];
  if (a === 'benign' || b === 'benign') return 'serial';
  if (a === 'double-fault') return 'triple-fault';
  if (a === 'contributory') return b === 'contributory' ? 'double-fault' : 'serial';
  return 'double-fault';
}

/** Delivers an exception, and what its delivery raises, until a handler or the triple fault. */
export function deliverFault(cpu: Cpu, fault: Fault): Delivery {
  if (fault.vector === VECTOR_PF && fault.address !== null) cpu.cr2 = fault.address;
  return deliver(
    cpu,
    {
      vector: fault.vector,
      errorCode: fault.errorCode,
      restarts: !NOT_RESTARTING.includes(fault.vector),
      interrupt: false,
    },
    [fault],
  );
}

/** Delivers an interrupt of the given vector. */
export function deliverInterrupt(cpu: Cpu, vector: number): Delivery {
  return deliver(cpu, { vector, errorCode: 0, restarts: false, interrupt: true }, []);
}

function deliver(cpu: Cpu, event: Event, faults: Fault[]): Delivery {
  for (;;) {
    const fault = enterHandler(cpu, event);
    if (fault === null) {
      const { vector, errorCode } = event;
      return new HandlerEntered(vector, errorCode, cpu.rip, cpu.rsp, faults);
    }
    faults.push(fault);
    if (fault.vector === VECTOR_PF && fault.address !== null) cpu.cr2 = fault.address;
    const outcome = event.interrupt ? 'serial' : combine(event.vector, fault.vector);
    if (outcome === 'triple-fault') return new TripleFault(faults);
    event =
      outcome === 'double-fault'
        ? { vector: VECTOR_DF, errorCode: 0, restarts: false, interrupt: false }
        : { vector: fault.vector, errorCode: fault.errorCode, restarts: true, interrupt: false };
  }
}

/**
 * Through the gate to the handler. SDM vol. 3, 6.12 and 6.14; pseudocode at INT n in vol. 2.
 * The registers change only if everything succeeds; pushes that succeeded stay in memory.
 */
function enterHandler(cpu: Cpu, { vector, errorCode, restarts, interrupt }: Event): Fault | null {
  const fail = (which: number, reason: FaultReason, code: number): Fault =>
    makeFault(which, reason, { errorCode: code | EXT, access: 'read' });
  const inIdt = (vector << 3) | 2;

  if (vector * GATE_SIZE + GATE_SIZE - 1 > cpu.idtr.limit) {
    return fail(VECTOR_GP, 'idt-limit', inIdt);
  }
  const at = BigInt.asUintN(64, cpu.idtr.base + BigInt(vector * GATE_SIZE));
  const low = cpu.loadImplicit64(at);
  if (isFault(low)) return low;
  const high = cpu.loadImplicit64(BigInt.asUintN(64, at + 8n));
  if (isFault(high)) return high;
  const gate = decodeGate(low, high);
  if (gate === null) return fail(VECTOR_GP, 'bad-gate', inIdt);
  if (!gate.present) return fail(VECTOR_NP, 'gate-not-present', inIdt);
  const code = codeSegment(cpu, gate.selector, EXT);
  if (isFault(code)) return code;
  if (code.dpl > cpu.cpl) return fail(VECTOR_GP, 'bad-selector', gate.selector & 0xfffc);
  const cpl = code.conforming ? cpu.cpl : code.dpl;

  let rsp = cpu.rsp;
  if (gate.ist !== 0 || cpu.cpl !== cpl) {
    const slot = BigInt.asUintN(64, cpu.tss + BigInt(stackPointerOffset(gate.ist)));
    const top = cpu.loadImplicit64(slot);
    if (isFault(top)) return top;
    if (!isCanonical(top, cpu.levels)) return fail(VECTOR_SS, 'non-canonical', 0);
    rsp = top;
  }
  rsp &= ~15n;
  const rflags = restarts ? cpu.rflags | RFLAGS_RF : cpu.rflags;
  const frame = [BigInt(cpu.ss), cpu.rsp, rflags, BigInt(cpu.cs), cpu.rip];
  if (hasErrorCode(vector) && !interrupt) frame.push(BigInt(errorCode));
  for (const value of frame) {
    rsp = BigInt.asUintN(64, rsp - 8n);
    const fault = cpu.storeFrame64(rsp, value);
    if (fault !== null) {
      return fault.vector === VECTOR_SS
        ? makeFault(VECTOR_SS, 'non-canonical', {
            errorCode: EXT,
            address: fault.address,
            access: 'write',
          })
        : fault;
    }
  }
  if (!isCanonical(gate.offset, cpu.levels)) return fail(VECTOR_GP, 'non-canonical', 0);

  if (cpu.cpl !== cpl) cpu.ss = cpl;
  cpu.cpl = cpl as 0 | 3;
  cpu.cs = (gate.selector & 0xfffc) | cpl;
  cpu.rip = gate.offset;
  cpu.rsp = rsp;
  cpu.rflags &= ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
  if (gate.type === 'interrupt') cpu.rflags &= ~RFLAGS_IF;
  return null;
}

/** Without a GDT: what the selector itself says. */
function flatSegment(selector: number): SegmentDescriptor {
  return { code: true, dpl: selector & 3, present: true, long: true, conforming: false };
}

/**
 * The 64-bit code segment of a selector, from the GDT in memory. Simplified: no LDT, and no
 * rings 1 and 2, which are refused as a bad selector is.
 */
function codeSegment(cpu: Cpu, selector: number, ext: number): SegmentDescriptor | Fault {
  const index = selector & 0xfff8;
  const bad = (vector: number, reason: FaultReason): Fault =>
    makeFault(vector, reason, { errorCode: (selector & 0xfffc) | ext, access: 'read' });
  if ((selector & 0xfffc) === 0) {
    return makeFault(VECTOR_GP, 'bad-selector', { errorCode: ext, access: 'read' });
  }
  if (cpu.gdtr === null) return flatSegment(selector);
  if (selector & 4 || index + DESCRIPTOR_SIZE - 1 > cpu.gdtr.limit) {
    return bad(VECTOR_GP, 'bad-selector');
  }
  const raw = cpu.loadImplicit64(BigInt.asUintN(64, cpu.gdtr.base + BigInt(index)));
  if (isFault(raw)) return raw;
  const descriptor = decodeDescriptor(raw);
  if (descriptor === null || !descriptor.long || descriptor.dpl % 3 !== 0) {
    return bad(VECTOR_GP, 'bad-selector');
  }
  return descriptor.present ? descriptor : bad(VECTOR_NP, 'segment-not-present');
}

/** RFLAGS bits that IRETQ takes over at CPL 0. */
const RFLAGS_RESTORED = 0x257fd7n;

/** IRETQ in 64-bit mode. SDM vol. 2, IRET; vol. 3, 6.14.3. */
export function returnFromHandler(cpu: Cpu): Fault | null {
  const frame: bigint[] = [];
  for (let i = 0; i < 5; i++) {
    const value = cpu.load64(BigInt.asUintN(64, cpu.rsp + BigInt(8 * i)), 'stack');
    if (isFault(value)) return value;
    frame.push(value);
  }
  const [rip, cs, rflags, rsp, ss] = frame;
  const [code, stack] = [Number(cs & 0xffffn), Number(ss & 0xffffn)];
  const refuse = (selector: number): Fault =>
    makeFault(VECTOR_GP, 'bad-selector', { errorCode: selector & 0xfffc, access: 'read' });
  const descriptor = codeSegment(cpu, code, 0);
  if (isFault(descriptor)) return descriptor;
  const cpl = code & 3;
  if (cpl < cpu.cpl || (cpl !== 0 && cpl !== 3)) return refuse(code);
  if (descriptor.conforming ? descriptor.dpl > cpl : descriptor.dpl !== cpl) return refuse(code);
  // A null SS is fine for the kernel, not for user mode.
  if (cpl === 3 && (stack & 3) !== 3) return refuse(stack);
  if (!isCanonical(rip, cpu.levels)) {
    return makeFault(VECTOR_GP, 'non-canonical', { address: rip });
  }
  cpu.rip = rip;
  cpu.cs = code;
  cpu.ss = stack;
  cpu.rsp = rsp;
  cpu.cpl = cpl as 0 | 3;
  cpu.rflags = rflags & RFLAGS_RESTORED;
  return null;
}
