import type { Journal } from './journal';
import type { PageInfo } from './page-info';
import { VmStruct, type VmFlag } from './vm-struct';
import type { VmapNodes } from './vmap-nodes';

const FLAGS: readonly VmFlag[] = ['ioremap', 'vmalloc', 'vmap', 'user', 'dma-coherent'];
const USED = 1 << 5;
const GUARD = 1 << 6;
const VPAGES = 1 << 7;

/** What is known of an area besides its addresses. */
export interface AreaDetails {
  readonly flags: readonly VmFlag[];
  readonly caller: string;
  readonly guard: boolean;
  /** Page frames, lowest address first; empty when they are not known. */
  readonly pages: readonly number[];
  /** Pages as listed, when the frames are not known. */
  readonly nrPages?: number;
  readonly physAddr?: bigint | null;
  readonly vpages?: boolean;
  readonly pageArray?: bigint | null;
}

/** The rare parts of an area: kept apart, so that a million plain ones take no objects. */
interface Extra {
  physAddr: bigint | null;
  pageArray: bigint | null;
  /** Frames of a vmap(): they may be in several areas and cannot be chained. */
  pages: readonly number[] | null;
}

/**
 * The areas by tree node, in typed arrays; a VmStruct is made when somebody asks for one. The frames
 * of a vmalloc'ed area are chained through the mem_map, as area->pages would list them.
 */
export class VmapAreas {
  private state: Uint8Array = new Uint8Array(64);
  private firstPfn: Int32Array = new Int32Array(64);
  private nrPages: Int32Array = new Int32Array(64);
  private callerId: Int32Array = new Int32Array(64);
  private readonly callers: string[] = [''];
  private readonly callerIds = new Map<string, number>([['', 0]]);
  private readonly extras: (Extra | undefined)[] = [];

  constructor(
    private readonly nodes: VmapNodes,
    private readonly info: PageInfo,
    private readonly journal: Journal,
  ) {}

  /** True when the node is an area in use, not one that waits. */
  has(node: number): boolean {
    return node < this.state.length && this.state[node] !== 0;
  }

  set(node: number, details: AreaDetails): void {
    if (node >= this.state.length) this.grow(node);
    const { pages, guard, vpages = false } = details;
    let state = USED | (guard ? GUARD : 0) | (vpages ? VPAGES : 0);
    for (let i = 0; i < FLAGS.length; i++) if (details.flags.includes(FLAGS[i])) state |= 1 << i;
    const chained = details.flags.includes('vmalloc') && pages.length > 0;
    const { journal } = this;
    journal.save(this.state, node);
    journal.save(this.firstPfn, node);
    journal.save(this.nrPages, node);
    journal.save(this.callerId, node);
    this.state[node] = state;
    this.nrPages[node] = details.nrPages ?? pages.length;
    this.callerId[node] = this.intern(details.caller);
    this.firstPfn[node] = chained ? pages[0] : -1;
    if (chained) {
      for (let i = 0; i + 1 < pages.length; i++) this.info.setLink(pages[i], pages[i + 1]);
    }
    const { physAddr = null, pageArray = null } = details;
    const kept = !chained && pages.length > 0 ? pages : null;
    if (physAddr !== null || pageArray !== null || kept) {
      journal.save(this.extras, node);
      this.extras[node] = { physAddr, pageArray, pages: kept };
    }
  }

  clear(node: number): void {
    if (!this.has(node)) return;
    this.journal.save(this.state, node);
    this.state[node] = 0;
    if (this.extras[node] === undefined) return;
    this.journal.save(this.extras, node);
    this.extras[node] = undefined;
  }

  /** The area of a node, or null. */
  get(node: number): VmStruct | null {
    if (!this.has(node)) return null;
    const state = this.state[node];
    const { start, end } = this.nodes;
    const extra = this.extras[node];
    return new VmStruct(
      BigInt(start[node]) << 12n,
      (end[node] - start[node]) * 4096,
      FLAGS.filter((_, i) => state & (1 << i)),
      this.callers[this.callerId[node]],
      extra?.pages ?? this.pagesOf(node),
      (state & GUARD) !== 0,
      extra?.physAddr ?? null,
      (state & VPAGES) !== 0,
      this.nrPages[node],
      extra?.pageArray ?? null,
    );
  }

  private pagesOf(node: number): number[] {
    const first = this.firstPfn[node];
    if (first < 0) return [];
    const count = this.nrPages[node];
    const pages = new Array<number>(count);
    for (let i = 0, pfn = first; i < count; i++) {
      pages[i] = pfn;
      pfn = this.info.linkOf(pfn);
    }
    return pages;
  }

  private intern(caller: string): number {
    let id = this.callerIds.get(caller);
    if (id === undefined) {
      id = this.callers.push(caller) - 1;
      this.callerIds.set(caller, id);
    }
    return id;
  }

  private grow(node: number): void {
    let capacity = this.state.length;
    while (capacity <= node) capacity *= 2;
    this.state = this.larger(this.state, new Uint8Array(capacity));
    this.firstPfn = this.larger(this.firstPfn, new Int32Array(capacity));
    this.nrPages = this.larger(this.nrPages, new Int32Array(capacity));
    this.callerId = this.larger(this.callerId, new Int32Array(capacity));
  }

  private larger<T extends Int32Array | Uint8Array>(before: T, after: T): T {
    after.set(before);
    this.journal.moved(before, after);
    return after;
  }
}
