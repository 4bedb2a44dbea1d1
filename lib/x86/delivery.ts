import { hex, type VirtAddr } from './addr';
import { describeFault, type Fault, mnemonicOf } from './fault';

/** An exception or interrupt that reached a handler. */
export class HandlerEntered {
  readonly kind: 'handler' = 'handler' as const;

  constructor(
    /** Of the handler that runs now: 8 if it became a double fault. */
    readonly vector: number,
    /** As pushed; 0 if the vector pushes none. */
    readonly errorCode: number,
    /** RIP now. */
    readonly handler: VirtAddr,
    /** RSP after the frame. */
    readonly rsp: VirtAddr,
    /** The faults on the way, first to last; of an interrupt those of its delivery. */
    readonly faults: Fault[],
  ) {}

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const where = `handler ${hex(this.handler)}, RSP ${hex(this.rsp)}`;
    return [`${mnemonicOf(this.vector)} delivered: ${where}`, ...this.faults.map(line)].join('\n');
  }
}

/** An exception that found no handler, nor did its double fault: the CPU shuts down. */
export class TripleFault {
  readonly kind: 'triple-fault' = 'triple-fault' as const;

  constructor(readonly faults: Fault[]) {}

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return ['triple fault', ...this.faults.map(line)].join('\n');
  }
}

/** What became of an exception or interrupt. */
export type Delivery = HandlerEntered | TripleFault;

function line(fault: Fault): string {
  return `  ${describeFault(fault)}`;
}
