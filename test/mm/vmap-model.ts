import assert from 'node:assert/strict';
import { Journal } from '../../lib/mm/journal';
import { vmallocRules, type VmallocRules } from '../../lib/mm/vmalloc-rules';
import { NIL, VmapNodes } from '../../lib/mm/vmap-nodes';
import { VmapSpace } from '../../lib/mm/vmap-space';
import type { VmapTree } from '../../lib/mm/vmap-tree';
import type { Random } from '../../lib/random';

/** [start, end) in pages. */
interface Range {
  start: number;
  end: number;
}

/** The window that requests must stay in: small enough to run full. */
export const WINDOW: Range = { start: 1000, end: 1000 + 4096 };

/**
 * An obvious model of the address space: a sorted array of the areas in use and an array of those
 * that wait. Everything is found by going through them one by one.
 */
export class VmapModel {
  readonly rules: VmallocRules;
  readonly space: VmapSpace;
  private busy: (Range & { node: number })[] = [];
  private waiting: Range[] = [];
  /** Next-fit: where the last search ended (null: from the bottom), the largest hole noticed below. */
  private last: { range: Range | null; hole: number; start: number; align: number } = {
    range: null,
    hole: 0,
    start: 0,
    align: 1,
  };

  constructor(version: string) {
    this.rules = vmallocRules(version);
    this.space = new VmapSpace(new VmapNodes(new Journal()), this.rules);
  }

  get areas(): number {
    return this.busy.length;
  }

  allocate(size: number, align: number, start = WINDOW.start): void {
    const node = this.space.allocate({ size, align, start, end: WINDOW.end });
    const found = node === NIL ? null : this.space.nodes.start[node];
    if (this.rules.search === 'lowest-fit') this.checkLowest(found, size, align, start);
    else assert.equal(found, this.nextFit(size, align, start), 'next fit');
    if (found === null) return;
    assert.equal(this.space.nodes.end[node], found + size);
    const area = { start: found, end: found + size, node };
    this.busy.push(area);
    this.busy.sort((a, b) => a.start - b.start);
    if (this.rules.search === 'next-fit') this.last.range = area;
  }

  free(index: number): void {
    if (this.busy.length === 0) return;
    const [area] = this.busy.splice(index % this.busy.length, 1);
    this.waiting.push(area);
    this.space.freeLazily(area.node);
  }

  purge(): void {
    // The kernel forgets or moves its place while it frees the areas one by one, last one first.
    const busyOrWaiting = this.taken();
    for (const area of [...this.waiting].reverse()) {
      const at = busyOrWaiting.findIndex(({ start }) => start === area.start);
      const { last } = this;
      if (last.range) {
        if (area.end < last.start) last.range = null;
        else if (area.start <= last.range.start) last.range = busyOrWaiting[at - 1] ?? null;
      }
      busyOrWaiting.splice(at, 1);
    }
    this.waiting = [];
    this.space.purge();
  }

  /** Trees sorted and balanced, areas and free ranges complementary. */
  check(): void {
    const { space } = this;
    const inBusyTree = this.rules.lazyOutsideBusyTree ? this.busy : this.taken();
    assert.deepEqual(
      ranges(space.busy),
      inBusyTree.map(({ start, end }) => ({ start, end })),
    );
    if (this.rules.search === 'lowest-fit') assert.deepEqual(ranges(space.free), this.freeRanges());
    assert.equal(
      space.waitingRanges().reduce((sum, [start, end]) => sum + end - start, 0),
      this.waiting.reduce((sum, { start, end }) => sum + end - start, 0),
    );
    checkRedBlack(space.free, true);
    checkRedBlack(space.busy, false);
    checkRedBlack(space.lazy, false);
  }

  /** Areas in use and waiting, sorted. */
  private taken(): Range[] {
    return [...this.busy, ...this.waiting].sort((a, b) => a.start - b.start);
  }

  private freeRanges(): Range[] {
    const free: Range[] = [];
    let at = 0;
    for (const { start, end } of this.taken()) {
      if (start > at) free.push({ start: at, end: start });
      at = end;
    }
    return [...free, { start: at, end: 2 ** 52 }];
  }

  /**
   * The lowest range that fits. With the worst-case length a range that fits but is smaller than
   * size + alignment may be passed over, never one that is large enough for any alignment.
   */
  private checkLowest(found: number | null, size: number, align: number, from: number): void {
    const fits = ({ start, end }: Range): number | null => {
      const at = alignUp(Math.max(start, from), align);
      return at + size <= Math.min(end, WINDOW.end) ? at : null;
    };
    const all = this.freeRanges();
    const candidates = all.map(fits).filter((at): at is number => at !== null);
    const worst = size + Math.ceil((align - 1) / 4096);
    const exact =
      this.rules.searchLength === 'exact' ||
      (align <= 4096 && this.rules.searchLength === 'worst-case-if-aligned') ||
      align === 1;
    if (exact) {
      assert.equal(found, candidates[0] ?? null, 'lowest fit');
      return;
    }
    const safe = all.filter(({ start, end }) => end - Math.max(start, from) >= worst).map(fits);
    const lowestSafe = safe.find((at) => at !== null) ?? null;
    if (found === null) assert.equal(lowestSafe, null, 'nothing large enough was free');
    else {
      assert.ok(candidates.includes(found), 'a free range');
      if (lowestSafe !== null) assert.ok(found <= lowestSafe, 'not above a large enough one');
    }
  }

  /** The rules of alloc_vmap_area() before 5.2, on the sorted array. */
  private nextFit(size: number, align: number, start: number): number | null {
    const { last } = this;
    const areas = this.taken();
    const below = last.range ? alignUp(last.range.end, align) < start : false;
    const smaller = size < last.hole || start < last.start || align < last.align;
    if (!last.range || smaller || below) {
      last.range = null;
      last.hole = 0;
    }
    last.start = start;
    last.align = align;
    let i = last.range
      ? areas.findIndex((area) => area.start === last.range?.start) + 1
      : areas.findIndex(({ end }) => end > alignUp(start, align));
    let at = last.range ? alignUp(last.range.end, align) : alignUp(start, align);
    if (i < 0) i = areas.length;
    for (; i < areas.length && at + size > areas[i].start; i++) {
      if (at + size > WINDOW.end) return null;
      if (areas[i].start - at > last.hole) last.hole = areas[i].start - at;
      at = alignUp(areas[i].end, align);
    }
    return at + size <= WINDOW.end ? at : null;
  }
}

/** A long run: areas of 1 to 17 pages, now and then larger, stacks among them; purges in between. */
export function runVmap(model: VmapModel, random: Random, operations: number): void {
  const checkEvery = Math.max(500, Math.floor(operations / 40));
  for (let i = 1; i <= operations; i++) {
    const filling = Math.floor(i / 1500) % 2 === 0;
    if (random.chance(0.01)) model.purge();
    else if (random.chance(filling ? 0.6 : 0.4)) {
      const stack = random.chance(0.3);
      const size = stack ? 5 : 1 + random.below(random.chance(0.05) ? 300 : 16);
      const align = stack ? 16384 : random.chance(0.8) ? 1 : 4096 << random.below(6);
      const start = random.chance(0.02) ? WINDOW.start + random.below(2000) : WINDOW.start;
      model.allocate(size, align, start);
    } else {
      model.free(random.below(1 << 30));
    }
    if (i % checkEvery === 0) model.check();
  }
  while (model.areas > 0) model.free(0);
  model.purge();
  model.check();
}

function ranges(tree: VmapTree): Range[] {
  const { start, end } = tree.nodes;
  return [...tree].map((node) => ({ start: start[node], end: end[node] }));
}

function alignUp(page: number, bytes: number): number {
  const pages = Math.max(1, bytes / 4096);
  return Math.ceil(page / pages) * pages;
}

/** No red node has a red child, every path has as many black ones, sizes are those of the subtrees. */
function checkRedBlack(tree: VmapTree, sizes: boolean): void {
  const { nodes } = tree;
  const visit = (node: number): { black: number; max: number } => {
    if (node === NIL) return { black: 0, max: 0 };
    const [left, right] = [nodes.child[2 * node], nodes.child[2 * node + 1]];
    for (const child of [left, right]) {
      if (child === NIL) continue;
      assert.equal(nodes.parent[child], node, 'parent');
      assert.ok(nodes.color[node] === 1 || nodes.color[child] === 1, 'red on red');
    }
    const a = visit(left);
    const b = visit(right);
    assert.equal(a.black, b.black, 'black height');
    const max = Math.max(nodes.end[node] - nodes.start[node], a.max, b.max);
    if (sizes) assert.equal(nodes.subtreeMax[node], max, 'subtree size');
    return { black: a.black + nodes.color[node], max };
  };
  if (tree.root !== NIL) assert.equal(nodes.color[tree.root], 1, 'black root');
  visit(tree.root);
  assert.equal([...tree].length, tree.size, 'size');
}
