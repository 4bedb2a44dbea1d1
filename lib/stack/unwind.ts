import type { VirtAddr } from '../x86/addr';
import type { FrameRule } from './kernel-text';
import type { Machine } from './machine';

/** Registers from which a stack is unwound: those of a place in a function. */
export interface UnwindState {
  readonly rip: VirtAddr;
  readonly rsp: VirtAddr;
  readonly rbp: bigint;
}

/** One step outwards. */
export type UnwindStep =
  | { readonly kind: 'call'; readonly slot: VirtAddr; readonly state: UnwindState }
  | { readonly kind: 'regs'; readonly regs: VirtAddr; readonly state: UnwindState };

/** Words of struct pt_regs, 8 bytes each. */
const PT_REGS_RBP = 32n;
const PT_REGS_RIP = 128n;
const PT_REGS_RSP = 152n;

const fromRsp = (offset: number, savedRbp: number | null): FrameRule => ({
  kind: 'frame',
  base: 'rsp',
  offset,
  savedRbp,
});
const withFramePointer: FrameRule = { kind: 'frame', base: 'rbp', offset: 16, savedRbp: -16 };
const end: FrameRule = { kind: 'end' };

/**
 * The frames of the functions whose code the model lays out, at the places where they call or fault; what
 * their prologues push is written there. `canary`: 8 with the stack protector.
 */
function ruleOf(name: string, canary: number): FrameRule | undefined {
  switch (name) {
    case 'recurse':
    case 'jump':
      return withFramePointer;
    case 'kfn':
    case 'kfn.cold': // five registers, canary or 8 bytes unused, a wait_queue_entry
      return fromRsp(8 + 40 + 8 + 40, -16);
    case 'kthread': // four registers, the completion's flags
      return fromRsp(8 + 32 + 8, -16);
    case '__schedule': // six registers, canary
      return fromRsp(8 + 48 + canary, -16);
    case 'schedule':
      return fromRsp(16, null);
    case 'ret_from_fork':
    case 'do_idle':
    case 'do_exit':
    case 'shell_main':
    case 'child_main':
      return end;
    default:
      return undefined;
  }
}

/** Where `address` is in a function, how its caller is found; undefined if nobody knows. */
export function frameRuleFor(m: Machine, address: VirtAddr): FrameRule | undefined {
  const own = m.text.frameRule(address);
  if (own) return own;
  const fn = m.text.find(address) ?? m.text.find(address - 1n);
  return fn && ruleOf(fn.name, m.config.STACKPROTECTOR ? 8 : 0);
}

/**
 * Finds the caller, reading the stack as a debugger does.
 *
 * @returns null where the stack ends, or can't be followed any further
 */
export function unwindOnce(m: Machine, state: UnwindState): UnwindStep | null {
  const rule = frameRuleFor(m, state.rip);
  if (!rule || rule.kind === 'end') return null;
  if (rule.kind !== 'frame') {
    const at = state.rsp + BigInt(rule.offset);
    const regs = rule.kind === 'regs' ? at : m.peek64(at);
    if (regs === null) return null;
    const [rip, rsp, rbp] = [PT_REGS_RIP, PT_REGS_RSP, PT_REGS_RBP].map((at) =>
      m.peek64(regs + at),
    );
    if (rip === null || rsp === null || rbp === null) return null;
    return { kind: 'regs', regs, state: { rip, rsp, rbp } };
  }
  const cfa = (rule.base === 'rsp' ? state.rsp : state.rbp) + BigInt(rule.offset);
  const slot = cfa - 8n;
  const rip = m.peek64(slot);
  const rbp = rule.savedRbp === null ? state.rbp : m.peek64(cfa + BigInt(rule.savedRbp));
  // Outwards means upwards: anything else is a broken chain.
  if (rip === null || rbp === null || slot < state.rsp - 8n) return null;
  return { kind: 'call', slot, state: { rip, rsp: cfa, rbp } };
}

const MOST_STEPS = 4096;

/** Every step outwards from `state`, as far as the stack can be followed. */
export function unwind(m: Machine, state: UnwindState): UnwindStep[] {
  const steps: UnwindStep[] = [];
  for (let now = state; steps.length < MOST_STEPS;) {
    const step = unwindOnce(m, now);
    if (!step) break;
    steps.push(step);
    now = step.state;
  }
  return steps;
}
