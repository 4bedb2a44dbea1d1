export { Random } from './random';
export { show } from './jupyter/show';
export {
  DEFAULT_KERNEL,
  ERAS,
  kernelConfig,
  STACK_END_MAGIC,
  type Era,
  type KernelConfig,
  type KernelOptions,
} from './stack/config';
export { KNOWN_VERSIONS, type KernelFeatures, type ThreadInfoLayout } from './stack/versions';
export { parseTrace, TraceError, type StackTrace, type TraceEntry } from './stack/trace';
export { PUBLISHED_TRACES, publishedTrace, widenFrame } from './stack/published-traces';
export { replay, type ReplayOptions, type ReplayReport, type ReplayStep } from './stack/replay';
export { overrun, type OverrunOptions } from './stack/overrun';
export type { OverrunReport } from './stack/aftermath';
export { hexdump, type Neighbour, type Victim } from './stack/report';
export { summary } from './stack/summary';
export { Machine } from './stack/machine';
export { depthFigure, verdict } from './figures/depth-figure';
export { Figure, MIME_BUNDLE, type FigureSpec, type MimeBundle, type Table } from './figures/figure';
export { OKABE_ITO } from './figures/palette';

// The processor (lib/x86)
export { PAGE_SHIFT, PAGE_SIZE, PMD_SIZE, PUD_SIZE } from './x86/addr';
export {
  addressOf,
  alignDown,
  alignUp,
  canonical,
  hex,
  isCanonical,
  parseAddress,
  tableIndex,
} from './x86/addr';
export type { Levels, PageSize, PhysAddr, VirtAddr } from './x86/addr';
export { PhysMemory } from './x86/phys-memory';
export { describeErrorCode, describeFault, isFault, makeFault, pageFault } from './x86/fault';
export type { Access, Fault, FaultReason } from './x86/fault';
export { Cpu } from './x86/cpu';
export type { CpuOptions, CpuState, Delivery } from './x86/cpu';
export { combine } from './x86/exceptions';
export { readGate, writeGate } from './x86/idt';
export { readTss, writeTss } from './x86/tss';
export { TLB_SKYLAKE_L1D, TLB_SKYLAKE_L2 } from './x86/tlb';
export type { TlbConfig, TlbCounters } from './x86/tlb';
export { PageTable } from './x86/page-table';
export type { MapError, MapOptions, PageTableOptions } from './x86/page-table';
export { Mapping } from './x86/mappings';
export type { TlbFlush } from './x86/tlb-flush';
export { Pte } from './x86/pte';
export { walk } from './x86/walk';
export type { WalkOptions, WalkResult } from './x86/walk';
