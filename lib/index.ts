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
export { parseTrace } from './stack/parse-trace';
export { TraceError, type StackTrace, type TraceEntry } from './stack/trace';
export { PUBLISHED_TRACES, publishedTrace, widenFrame } from './stack/published-traces';
export { replay, type ReplayOptions, type ReplayReport, type ReplayStep } from './stack/replay';
export { overrun, type OverrunOptions } from './stack/overrun';
export { allocThreadStack, freeThreadStack } from './stack/thread-stack';
export { TrialRunner, type TrialOptions } from './stack/trial';
export { overrunPicture, type OverrunPicture } from './stack/overrun-picture';
export type { NamedBytes } from './stack/byte-names';
export type { OverrunReport } from './stack/aftermath';
export { hexdump, type Neighbour, type Victim } from './stack/report';
export { summary } from './stack/summary';
export { Machine } from './stack/machine';
export { depthFigure, verdict } from './figures/depth-figure';
export {
  Figure,
  MIME_BUNDLE,
  type FigureSpec,
  type MimeBundle,
  type Table,
} from './figures/figure';
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
export type { CpuOptions, CpuState, Delivery, GprName, Gprs } from './x86/cpu';
export type { Segment } from './x86/memory-port';
export { writeDescriptor } from './x86/gdt';
export { combine } from './x86/exceptions';
export { readGate, writeGate } from './x86/idt';
export { readTss, writeTss } from './x86/tss';
export { TLB_SKYLAKE_L1D, TLB_SKYLAKE_L2 } from './x86/tlb';
export type { TlbConfig, TlbCounters, TlbLine } from './x86/tlb';
export { PageTable } from './x86/page-table';
export type { MapError, MapOptions, PageTableOptions } from './x86/page-table';
export { Mapping } from './x86/mappings';
export type { AddressRange } from './x86/mappings';
export type { AddressMarker } from './x86/ptdump';
export type { FlushRange, TlbFlush } from './x86/tlb-flush';
export { TableDump, parseDumpIndex } from './x86/table-dump';
export type { DumpIndex } from './x86/table-dump';
export { readTableDump } from './commands/read-table-dump';
export { Pte } from './x86/pte';
export {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_GLOBAL,
  _PAGE_NX,
  _PAGE_PAT,
  _PAGE_PAT_LARGE,
  _PAGE_PCD,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_PWT,
  _PAGE_RW,
  _PAGE_USER,
} from './x86/pte';
export { walk } from './x86/walk';
export type { WalkEntry, WalkFault, WalkOptions, WalkResult } from './x86/walk';

// Memory management (lib/mm)
export { layoutFor } from './mm/layout';
export type { KernelLayout, LayoutOptions } from './mm/layout';
export { compareKernelVersions, sinceVersion } from './mm/kernel-version';
export { PageAllocator } from './mm/page-allocator';
export type { AllocOptions, PageAllocatorOptions } from './mm/page-allocator';
export type { AllocatorHooks } from './mm/slow-path';
export { allocatorRules } from './mm/allocator-rules';
export type { AllocatorRules, FallbackRule } from './mm/allocator-rules';
export { PAGE_CLASSES } from './mm/page-info';
export type { PageClass, PageDescription, PageInfo, ReservedRange } from './mm/page-info';
export type { MigrateType } from './mm/migrate-type';
export { MAX_PAGE_ORDER } from './mm/free-lists';
export { defaultReserved, defaultZones } from './mm/boot-memory';
export { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from './mm/zone';
export type { Zone, ZoneSpec } from './mm/zone';
export { watermarkOk } from './mm/watermark';
export { fragmentationIndex, unusableFreeIndex } from './mm/compaction';
export type { CompactionReport, PageMove } from './mm/compaction';
export { oomBadness, selectVictim } from './mm/oom';
export type { OomKiller, OomTask, SlabUsage } from './mm/oom';
export { gfpOf, gfpText } from './mm/gfp';
export type { Gfp } from './mm/gfp';
export { memInfoLines, memInfoOf } from './mm/mem-info';
export { loadFreeLists } from './mm/free-list-loader';
export type { RecordedFreeLists } from './mm/free-list-loader';
export {
  buddyinfoOf,
  pagetypeinfoOf,
  parseBuddyinfo,
  parsePagetypeinfo,
} from './mm/buddyinfo-parse';
export { DirectMap } from './mm/direct-map';
export type { MemoryPermissions, SetMemoryReport } from './mm/direct-map';
export { Vmalloc } from './mm/vmalloc';
export type { PurgeReport, VmallocConfig, VmallocOptions } from './mm/vmalloc-options';
export { lazyMaxPages, vmallocRules } from './mm/vmalloc-rules';
export { isVmallocFailure, VmStruct } from './mm/vm-struct';
export type { VmallocFailure } from './mm/vm-struct';
export { parseVmallocinfo, vmallocinfoText } from './mm/vmallocinfo';
export type { VmallocinfoEntry } from './mm/vmallocinfo';
export { memoryBlocks, type MemoryBlock } from './mm/memory-blocks';
export { RECORDED_MEMORY, type RecordedMemory } from './mm/recorded-memory';
export {
  recordedTables,
  type RecordedStack,
  type RecordedTables,
  type RecordedTranslation,
} from './mm/recorded-tables';
export { KmemCache } from './mm/slab';
export { slabLayout } from './mm/slab-order';
export type { SlabLayout } from './mm/slab-order';

// Experiments and figures (lib/experiments, lib/figures)
export { agreement, type Agreement, type AgreementOptions } from './experiments/agreement';
export {
  RECORDED_RUNAWAYS,
  type RecordedRunaway,
  type RunawayEnding,
} from './experiments/recorded-runaways';
export {
  runawayAgreement,
  type RunawayAgreement,
  type RunawayOptions,
  type RunawayRow,
  type RunawayShares,
} from './experiments/runaway-agreement';
export { experiment, experiments } from './experiments';
export { ExperimentResult } from './experiments/experiment';
export type { Experiment } from './experiments/experiment';
export type { Parameter, ParameterValues } from './experiments/parameters';
export { RECORDED_RUNS, type RecordedRun } from './experiments/recorded-runs';
export type { Cell, Column, Evidence, ResultTable, Row } from './experiments/table';
export { agreementFigure } from './figures/agreement-figure';
export { experimentFigure } from './figures/experiment-figure';
export { neighbourPageFigure } from './figures/neighbour-page-figure';
export { stackBaseFigure } from './figures/stack-base-figure';
export { walkChoiceFigure, type WalkChoice } from './figures/walk-choice-figure';
export { walkFigure } from './figures/walk-figure';

// Kernel stacks: configurations, interrupts, detectors, fork (lib/stack)
export { HAVE_ARCH_VMAP_STACK_SINCE, type Arch } from './stack/architectures';
export {
  kconfig,
  type KconfigAnswer,
  type KconfigRequest,
  type KconfigRow,
  type KconfigValue,
} from './stack/kconfig';
export { PT_REGS_SIZE } from './stack/config';
export {
  featuresOf,
  type IstStackSpec,
  type OopsWording,
  type ThreadInfoField,
} from './stack/versions';
export { kernelStacks, stackAt, stackGuarding, type KernelStack } from './stack/stack-info';
export { Interrupts } from './stack/irq';
export { unwind, type UnwindState, type UnwindStep } from './stack/unwind';
export { callTrace } from './stack/call-trace';
export {
  forkTrial,
  FRAGMENTATIONS,
  type ForkTrialOptions,
  type ForkTrialReport,
  type Fragmentation,
} from './stack/fork-failure';
export {
  kernelStackKb,
  kernelStackLine,
  maxThreads,
  stackCharges,
  StackMemcg,
  type StackCharges,
} from './stack/stack-accounting';
export {
  COUNTED_DETECTORS,
  DetectorCosts,
  type CountedDetector,
  type DetectorCost,
} from './stack/detectors/costs';
export {
  compareDetectors,
  type ComparisonOptions,
  DETECTORS,
  type DetectorSpec,
  type DetectorTrial,
} from './stack/detectors/comparison';
export { StackTracer, type TracedEntry } from './stack/detectors/stack-tracer';
export { stackNotUsed, type StackUsage } from './stack/detectors/stack-usage';
export {
  checkstack,
  checkstackText,
  FRAME_WARN,
  frameWarnings,
  type FrameSize,
} from './stack/detectors/checkstack';
export {
  kasanBugType,
  kasanCheck,
  kasanFrame,
  kasanShadowOf,
  KASAN_GRANULE,
  type KasanFrame,
  type KasanVerdict,
} from './stack/detectors/kasan';

// What lies on a stack, and which part of the kernel takes how much of it (lib/stack, lib/figures)
export {
  stackContents,
  stackListing,
  traceContents,
  type StackItem,
  type StackItemKind,
} from './stack/stack-contents';
export { partOf, PARTS, traceParts, type Part } from './stack/trace-parts';
export { capFrames, moveToWorkqueue } from './stack/trace-edit';
export { startProbe, type Probe } from './stack/probe';
export type { Task } from './stack/task';
export { stackMapFigure, type StackColumn } from './figures/stack-map-figure';

// The course: exercises with the learner's own numbers (lib/course, lib/learner)
export { exercise, progress, resetProgress } from './learner/course';
export { Verdict, type Outcome } from './course/attempt';
export { Card, type CardKind } from './course/card';
export type { Exercise } from './course/course';
export type { Answers } from './course/exercises';
export { ProgressTable, type ExerciseState, type ProgressEntry } from './course/progress';

// Texts of one's own machine (lib/experiments/own-machine)
export { UnreadableError } from './experiments/own-machine/log-text';
export { readOops, type OopsReading } from './experiments/own-machine/read-oops';
export type { OopsEvent } from './experiments/own-machine/oops-text';
export {
  SAMPLES,
  sample,
  type MachineTextKind,
  type Sample,
} from './experiments/own-machine/samples';
export { oopsFigure } from './figures/oops-figure';
export {
  readMachineText,
  recogniseMachineText,
  type MachineReading,
} from './experiments/own-machine/read-machine-text';
export { readStackTrace, type StackTraceReading } from './experiments/own-machine/read-stack-trace';
export {
  readVmallocinfo,
  type VmallocinfoReading,
} from './experiments/own-machine/read-vmallocinfo';
export { readBuddyinfo, type BuddyinfoReading } from './experiments/own-machine/read-buddyinfo';
export { machineFigure } from './figures/machine-figure';

// A populated machine, to be looked into
export { buildScene, type Scene, type SceneOptions } from './stack/scene';
