import { NIL, type VmapNodes } from './vmap-nodes';
import { VmapTree } from './vmap-tree';
import type { VmallocRules } from './vmalloc-rules';

/** The whole address space, in pages. */
const ALL_PAGES = 2 ** 52;

/** A list that is never changed, so that a snapshot of it costs nothing. */
type Waiting = { readonly node: number; readonly rest: Waiting } | null;

/** A request for addresses, in pages. */
export interface RangeRequest {
  size: number;
  /** Alignment in bytes, a power of two; 1 asks for no more than a page boundary. */
  align: number;
  /** The range must lie in here. */
  start: number;
  end: number;
}

/**
 * Which kernel addresses are in use, free, or freed and waiting for the purge (struct vmap_area).
 * Ranges are in pages, addressed by node number; what they hold is the caller's business.
 */
export class VmapSpace {
  readonly nodes: VmapNodes;
  /** Areas in use; before 5.5 also those that wait for the purge. */
  readonly busy: VmapTree;
  /** Free ranges, lowest-fit only. */
  readonly free: VmapTree;
  /** Waiting ranges once they left the busy tree. */
  readonly lazy: VmapTree;
  /** Waiting ranges, last freed first; used where `lazy` is not. */
  private waiting: Waiting = null;
  /** Where the last next-fit search ended, or NIL; what it knows of the holes below. */
  private cache = { node: NIL, hole: 0, start: 0, align: 1 };
  private saved: ReturnType<VmapSpace['state']> | null = null;

  constructor(
    nodes: VmapNodes,
    private readonly rules: VmallocRules,
  ) {
    this.nodes = nodes;
    this.busy = new VmapTree(nodes, false);
    this.free = new VmapTree(nodes, true);
    this.lazy = new VmapTree(nodes, false);
    if (rules.search === 'lowest-fit') this.free.insert(nodes.allocate(0, ALL_PAGES));
  }

  /** Finds and takes a range; the node of the area, or NIL when there is none. */
  allocate(request: RangeRequest): number {
    const start =
      this.rules.search === 'lowest-fit' ? this.lowestFit(request) : this.nextFit(request);
    if (start < 0) return NIL;
    const node = this.nodes.allocate(start, start + request.size);
    this.busy.insert(node);
    if (this.rules.search === 'next-fit') this.cache.node = node;
    return node;
  }

  /** Takes a given range: what is there already when the simulation starts. False when it is in use. */
  allocateAt(start: number, end: number): number {
    const above = this.busy.firstEndingAfter(start);
    if (above !== NIL && this.nodes.start[above] < end) return NIL;
    if (this.rules.search === 'lowest-fit') {
      const node = this.free.find(start);
      if (node === NIL || this.nodes.end[node] < end) return NIL;
      this.cut(node, start, end);
    }
    const node = this.nodes.allocate(start, end);
    this.busy.insert(node);
    return node;
  }

  /** The area goes out of use but its addresses stay taken until the purge. */
  freeLazily(node: number): void {
    if (this.rules.lazyOutsideBusyTree) this.busy.remove(node);
    if (this.rules.lazyMerged) this.mergeInto(this.lazy, node);
    else this.waiting = { node, rest: this.waiting };
  }

  /** The waiting ranges as /proc/vmallocinfo lists them, [start, end) in pages. */
  waitingRanges(): [number, number][] {
    const { start, end } = this.nodes;
    const nodes = this.rules.lazyMerged ? [...this.lazy] : waitingNodes(this.waiting);
    return nodes.map((node) => [start[node], end[node]]);
  }

  /** All waiting ranges become free. */
  purge(): void {
    const { nodes } = this;
    if (this.rules.lazyMerged) {
      for (const node of [...this.lazy]) {
        this.lazy.remove(node);
        this.mergeInto(this.free, node);
      }
      return;
    }
    for (const node of waitingNodes(this.waiting)) {
      if (this.rules.search !== 'lowest-fit') this.forgetCacheBelow(node);
      if (!this.rules.lazyOutsideBusyTree) this.busy.remove(node);
      if (this.rules.search === 'lowest-fit') this.mergeInto(this.free, node);
      else nodes.release(node);
    }
    this.waiting = null;
  }

  snapshot(): void {
    this.saved = this.state();
  }

  /** Goes with Journal.restore(), which brings back the nodes. */
  restore(): void {
    if (!this.saved) throw new TypeError('restore: expected a snapshot() before it, got none');
    const { nodes, trees, waiting, cache } = this.saved;
    this.nodes.setState(nodes);
    [this.busy, this.free, this.lazy].forEach((tree, i) => Object.assign(tree, trees[i]));
    this.waiting = waiting;
    this.cache = { ...cache };
  }

  private state() {
    return {
      nodes: this.nodes.state(),
      trees: [this.busy, this.free, this.lazy].map(({ root, size }) => ({ root, size })),
      waiting: this.waiting,
      cache: { ...this.cache },
    };
  }

  /** __alloc_vmap_area() of 5.2 and later: the start of the range, or -1. */
  private lowestFit(request: RangeRequest): number {
    const node = this.lowestMatch(request);
    if (node === NIL) return -1;
    const start = alignUp(Math.max(this.nodes.start[node], request.start), request.align);
    if (start + request.size > request.end) return -1;
    this.cut(node, start, start + request.size);
    return start;
  }

  /** find_vmap_lowest_match(), back-tracking included. */
  private lowestMatch(request: RangeRequest): number {
    const { start, child, parent, subtreeMax } = this.nodes;
    const length = this.searchLength(request);
    let from = request.start;
    let node = this.free.root;
    while (node !== NIL) {
      const left = child[2 * node];
      if (left !== NIL && subtreeMax[left] >= length && from < start[node]) {
        node = left;
        continue;
      }
      if (this.fits(node, request, from)) return node;
      const right = child[2 * node + 1];
      if (right !== NIL && subtreeMax[right] >= length) {
        node = right;
        continue;
      }
      for (node = parent[node]; node !== NIL; node = parent[node]) {
        if (this.fits(node, request, from)) return node;
        const other = child[2 * node + 1];
        if (other !== NIL && subtreeMax[other] >= length && from <= start[node]) {
          from = this.nodes.end[node];
          node = other;
          break;
        }
      }
    }
    return NIL;
  }

  private searchLength({ size, align, start, end }: RangeRequest): number {
    const worst = size + Math.ceil((align - 1) / 4096);
    if (this.rules.searchLength === 'worst-case') return worst;
    if (this.rules.searchLength === 'exact') return size;
    return align <= 4096 || end - start === size ? size : worst;
  }

  /** is_within_this_va() */
  private fits(node: number, request: RangeRequest, from: number): boolean {
    const start = alignUp(Math.max(this.nodes.start[node], from), request.align);
    return start + request.size <= this.nodes.end[node];
  }

  /** adjust_va_to_fit_type(): takes [start, end) out of a free range. */
  private cut(node: number, start: number, end: number): void {
    const { nodes, free } = this;
    const first = nodes.start[node];
    const last = nodes.end[node];
    if (first === start && last === end) {
      free.remove(node);
      nodes.release(node);
      return;
    }
    if (first === start) nodes.setStart(node, end);
    else if (last === end) nodes.setEnd(node, start);
    else nodes.setStart(node, end);
    free.propagate(node);
    if (first !== start && last !== end) free.insert(nodes.allocate(first, start));
  }

  /** merge_or_add_vmap_area() */
  private mergeInto(tree: VmapTree, node: number): void {
    const { nodes } = this;
    const after = tree.firstEndingAfter(nodes.start[node]);
    const before = after === NIL ? tree.last() : tree.previous(after);
    let merged = node;
    if (after !== NIL && nodes.start[after] === nodes.end[node]) {
      nodes.setStart(after, nodes.start[node]);
      nodes.release(node);
      merged = after;
    }
    if (before !== NIL && nodes.end[before] === nodes.start[merged]) {
      const end = nodes.end[merged];
      if (merged !== node) tree.remove(merged);
      nodes.release(merged);
      nodes.setEnd(before, end);
      merged = before;
    }
    if (merged === node) tree.insert(node);
    else if (tree === this.free) tree.propagate(merged);
  }

  /** alloc_vmap_area() before 5.2 (without the cache before 2.6.39): the start of the range, or -1. */
  private nextFit({ size, align, start, end }: RangeRequest): number {
    const { nodes, cache, busy } = this;
    if (
      cache.node === NIL ||
      size < cache.hole ||
      start < cache.start ||
      align < cache.align ||
      alignUp(nodes.end[cache.node], align) < start
    ) {
      cache.hole = 0;
      cache.node = NIL;
    }
    cache.start = start;
    cache.align = align;
    let node: number;
    let address: number;
    if (cache.node !== NIL) {
      node = cache.node;
      address = alignUp(nodes.end[node], align);
    } else {
      address = alignUp(start, align);
      node = busy.firstEndingAfter(address);
    }
    while (node !== NIL && address + size > nodes.start[node] && address + size <= end) {
      if (address + cache.hole < nodes.start[node]) cache.hole = nodes.start[node] - address;
      address = alignUp(nodes.end[node], align);
      node = busy.next(node);
    }
    return address + size > end ? -1 : address;
  }

  /** __free_vmap_area(): the search must not start above a hole it could use. */
  private forgetCacheBelow(node: number): void {
    const { nodes, cache } = this;
    if (cache.node === NIL) return;
    if (nodes.end[node] < cache.start) cache.node = NIL;
    else if (nodes.start[node] <= nodes.start[cache.node]) cache.node = this.busy.previous(node);
  }
}

function alignUp(page: number, alignBytes: number): number {
  const pages = alignBytes / 4096;
  return pages <= 1 ? page : Math.ceil(page / pages) * pages;
}

function waitingNodes(waiting: Waiting): number[] {
  const nodes: number[] = [];
  for (let item = waiting; item; item = item.rest) nodes.push(item.node);
  return nodes;
}
