import type { Journal } from './journal';

/** Index 0 is nobody, so that fresh arrays mean empty trees. */
export const NIL = 0;
export const LEFT = 0;
export const RIGHT = 1;
export const RED = 0;
export const BLACK = 1;

const FIRST_CAPACITY = 64;

/**
 * The nodes of all trees of address ranges (struct vmap_area), in typed arrays: a million of them
 * cost no objects. Ranges are in pages: `start` included, `end` not.
 */
export class VmapNodes {
  start: Float64Array = new Float64Array(FIRST_CAPACITY);
  end: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** Largest range in the subtree, in pages; kept by augmented trees only. */
  subtreeMax: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** Children: 2 * node + LEFT or RIGHT. */
  child: Int32Array = new Int32Array(2 * FIRST_CAPACITY);
  parent: Int32Array = new Int32Array(FIRST_CAPACITY);
  color: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  private used = 1;
  /** Given back nodes, linked through `parent`. */
  private spare = NIL;

  constructor(readonly journal: Journal) {}

  allocate(start: number, end: number): number {
    let node = this.spare;
    if (node === NIL) {
      node = this.used++;
      if (node === this.start.length) this.grow();
    } else {
      this.spare = this.parent[node];
    }
    this.setStart(node, start);
    this.setEnd(node, end);
    return node;
  }

  release(node: number): void {
    this.setParent(node, this.spare);
    this.spare = node;
  }

  setStart(node: number, value: number): void {
    this.journal.save(this.start, node);
    this.start[node] = value;
  }

  setEnd(node: number, value: number): void {
    this.journal.save(this.end, node);
    this.end[node] = value;
  }

  setMax(node: number, value: number): void {
    this.journal.save(this.subtreeMax, node);
    this.subtreeMax[node] = value;
  }

  setChild(node: number, side: number, value: number): void {
    this.journal.save(this.child, 2 * node + side);
    this.child[2 * node + side] = value;
  }

  setParent(node: number, value: number): void {
    this.journal.save(this.parent, node);
    this.parent[node] = value;
  }

  setColor(node: number, value: number): void {
    this.journal.save(this.color, node);
    this.color[node] = value;
  }

  /** What restore needs besides the journal. */
  state(): { used: number; spare: number } {
    return { used: this.used, spare: this.spare };
  }

  setState(state: { used: number; spare: number }): void {
    this.used = state.used;
    this.spare = state.spare;
  }

  private grow(): void {
    this.start = this.larger(this.start, new Float64Array(2 * this.start.length));
    this.end = this.larger(this.end, new Float64Array(2 * this.end.length));
    this.subtreeMax = this.larger(this.subtreeMax, new Float64Array(2 * this.subtreeMax.length));
    this.child = this.larger(this.child, new Int32Array(2 * this.child.length));
    this.parent = this.larger(this.parent, new Int32Array(2 * this.parent.length));
    this.color = this.larger(this.color, new Uint8Array(2 * this.color.length));
  }

  private larger<T extends Float64Array | Int32Array | Uint8Array>(before: T, after: T): T {
    after.set(before);
    this.journal.moved(before, after);
    return after;
  }
}
