import { BLACK, LEFT, NIL, RED, RIGHT, type VmapNodes } from './vmap-nodes';

/**
 * A red-black tree of ranges, sorted by address, that balances as lib/rbtree.c does, step by step.
 * That matters: the search for a free range looks at sizes of whole subtrees, so that what it finds
 * can depend on the shape of the tree.
 *
 * Augmented trees keep the size of the largest range below each node (RB_DECLARE_CALLBACKS_MAX).
 */
export class VmapTree {
  root = NIL;
  /** Number of ranges. */
  size = 0;

  constructor(
    readonly nodes: VmapNodes,
    private readonly augmented: boolean,
  ) {}

  /** Inserts a node whose start and end are set and that overlaps no other. */
  insert(node: number): void {
    const { nodes } = this;
    const start = nodes.start[node];
    let parent = NIL;
    let side = LEFT;
    for (let at = this.root; at !== NIL;) {
      parent = at;
      side = start < nodes.start[at] ? LEFT : RIGHT;
      at = nodes.child[2 * at + side];
    }
    nodes.setParent(node, parent);
    nodes.setColor(node, RED);
    nodes.setChild(node, LEFT, NIL);
    nodes.setChild(node, RIGHT, NIL);
    if (this.augmented) nodes.setMax(node, 0);
    if (parent === NIL) this.root = node;
    else nodes.setChild(parent, side, node);
    this.size++;
    this.balanceInsert(node);
    if (this.augmented) this.propagate(node);
  }

  remove(node: number): void {
    const rebalance = this.unlink(node);
    if (rebalance !== NIL) this.balanceRemove(rebalance);
    this.size--;
  }

  /** The node that holds the page, or NIL. */
  find(page: number): number {
    const { start, end, child } = this.nodes;
    let node = this.root;
    while (node !== NIL) {
      if (page < start[node]) node = child[2 * node];
      else if (page >= end[node]) node = child[2 * node + 1];
      else return node;
    }
    return NIL;
  }

  /** The lowest node that ends above `page`: it holds the page or is the next one up. */
  firstEndingAfter(page: number): number {
    const { start, end, child } = this.nodes;
    let found = NIL;
    let node = this.root;
    while (node !== NIL) {
      if (end[node] > page) {
        found = node;
        if (start[node] <= page) break;
        node = child[2 * node];
      } else {
        node = child[2 * node + 1];
      }
    }
    return found;
  }

  first(): number {
    return this.root === NIL ? NIL : this.outermost(this.root, LEFT);
  }

  last(): number {
    return this.root === NIL ? NIL : this.outermost(this.root, RIGHT);
  }

  next(node: number): number {
    return this.step(node, RIGHT);
  }

  previous(node: number): number {
    return this.step(node, LEFT);
  }

  *[Symbol.iterator](): Generator<number> {
    for (let node = this.first(); node !== NIL; node = this.next(node)) yield node;
  }

  /** Brings the sizes up to date from a node whose range changed (augment_tree_propagate_from). */
  propagate(node: number): void {
    const { nodes } = this;
    for (let at = node; at !== NIL; at = nodes.parent[at]) {
      const max = this.computeMax(at);
      if (nodes.subtreeMax[at] === max) return;
      nodes.setMax(at, max);
    }
  }

  /** Largest range in the tree, pages. */
  get largest(): number {
    return this.root === NIL ? 0 : this.nodes.subtreeMax[this.root];
  }

  private computeMax(node: number): number {
    const { start, end, child, subtreeMax } = this.nodes;
    let max = end[node] - start[node];
    const left = child[2 * node];
    const right = child[2 * node + 1];
    if (left !== NIL && subtreeMax[left] > max) max = subtreeMax[left];
    if (right !== NIL && subtreeMax[right] > max) max = subtreeMax[right];
    return max;
  }

  private outermost(node: number, side: number): number {
    const { child } = this.nodes;
    let at = node;
    while (child[2 * at + side] !== NIL) at = child[2 * at + side];
    return at;
  }

  private step(node: number, side: number): number {
    const { child, parent } = this.nodes;
    if (child[2 * node + side] !== NIL) return this.outermost(child[2 * node + side], 1 - side);
    let at = node;
    let up = parent[at];
    while (up !== NIL && child[2 * up + side] === at) {
      at = up;
      up = parent[at];
    }
    return up;
  }

  private changeChild(before: number, after: number, parent: number): void {
    const { nodes } = this;
    if (parent === NIL) this.root = after;
    else nodes.setChild(parent, nodes.child[2 * parent] === before ? LEFT : RIGHT, after);
  }

  private adopt(child: number, parent: number, color: number): void {
    this.nodes.setParent(child, parent);
    this.nodes.setColor(child, color);
  }

  /** __rb_rotate_set_parents(): `upper` takes the place of `lower`, which becomes its child. */
  private rotateParents(lower: number, upper: number, color: number): void {
    const { nodes } = this;
    const parent = nodes.parent[lower];
    this.adopt(upper, parent, nodes.color[lower]);
    this.adopt(lower, upper, color);
    this.changeChild(lower, upper, parent);
  }

  private augmentRotate(before: number, after: number): void {
    if (!this.augmented) return;
    this.nodes.setMax(after, this.nodes.subtreeMax[before]);
    this.nodes.setMax(before, this.computeMax(before));
  }

  /** __rb_insert() */
  private balanceInsert(inserted: number): void {
    const { nodes } = this;
    let node = inserted;
    let parent = nodes.parent[node];
    for (;;) {
      if (parent === NIL) {
        this.adopt(node, NIL, BLACK);
        return;
      }
      if (nodes.color[parent] === BLACK) return;
      const grandparent = nodes.parent[parent];
      const near = nodes.child[2 * grandparent] === parent ? LEFT : RIGHT;
      const far = 1 - near;
      const uncle = nodes.child[2 * grandparent + far];
      if (uncle !== NIL && nodes.color[uncle] === RED) {
        this.adopt(uncle, grandparent, BLACK);
        this.adopt(parent, grandparent, BLACK);
        node = grandparent;
        parent = nodes.parent[node];
        nodes.setColor(node, RED);
        continue;
      }
      let inner = nodes.child[2 * parent + far];
      if (node === inner) {
        inner = nodes.child[2 * node + near];
        nodes.setChild(parent, far, inner);
        nodes.setChild(node, near, parent);
        if (inner !== NIL) this.adopt(inner, parent, BLACK);
        this.adopt(parent, node, RED);
        this.augmentRotate(parent, node);
        parent = node;
        inner = nodes.child[2 * node + far];
      }
      nodes.setChild(grandparent, near, inner);
      nodes.setChild(parent, far, grandparent);
      if (inner !== NIL) this.adopt(inner, grandparent, BLACK);
      this.rotateParents(grandparent, parent, RED);
      this.augmentRotate(grandparent, parent);
      return;
    }
  }

  /** __rb_erase_augmented(): takes the node out; answers where to rebalance, or NIL. */
  private unlink(node: number): number {
    const { nodes } = this;
    const left = nodes.child[2 * node];
    const right = nodes.child[2 * node + 1];
    const parent = nodes.parent[node];
    const color = nodes.color[node];
    let rebalance = NIL;
    let from: number;
    if (left === NIL || right === NIL) {
      const only = left === NIL ? right : left;
      this.changeChild(node, only, parent);
      if (only !== NIL) this.adopt(only, parent, color);
      else if (color === BLACK) rebalance = parent;
      from = parent;
    } else {
      const successor = this.outermost(right, LEFT);
      const orphan = nodes.child[2 * successor + 1];
      let hole = successor;
      if (this.augmented) nodes.setMax(successor, nodes.subtreeMax[node]);
      if (successor !== right) {
        hole = nodes.parent[successor];
        nodes.setChild(hole, LEFT, orphan);
        nodes.setChild(successor, RIGHT, right);
        nodes.setParent(right, successor);
        if (this.augmented) this.propagateTo(hole, successor);
      }
      nodes.setChild(successor, LEFT, left);
      nodes.setParent(left, successor);
      this.changeChild(node, successor, parent);
      if (orphan !== NIL) this.adopt(orphan, hole, BLACK);
      else if (nodes.color[successor] === BLACK) rebalance = hole;
      this.adopt(successor, parent, color);
      from = successor;
    }
    if (this.augmented) this.propagate(from);
    return rebalance;
  }

  private propagateTo(node: number, stop: number): void {
    const { nodes } = this;
    for (let at = node; at !== stop; at = nodes.parent[at]) {
      const max = this.computeMax(at);
      if (nodes.subtreeMax[at] === max) return;
      nodes.setMax(at, max);
    }
  }

  /** ____rb_erase_color() */
  private balanceRemove(at: number): void {
    const { nodes } = this;
    let parent = at;
    let node = NIL;
    for (;;) {
      const near = nodes.child[2 * parent + 1] !== node ? LEFT : RIGHT;
      const far = 1 - near;
      let sibling = nodes.child[2 * parent + far];
      if (nodes.color[sibling] === RED) {
        const inner = nodes.child[2 * sibling + near];
        nodes.setChild(parent, far, inner);
        nodes.setChild(sibling, near, parent);
        this.adopt(inner, parent, BLACK);
        this.rotateParents(parent, sibling, RED);
        this.augmentRotate(parent, sibling);
        sibling = inner;
      }
      let outer = nodes.child[2 * sibling + far];
      if (outer === NIL || nodes.color[outer] === BLACK) {
        const inner = nodes.child[2 * sibling + near];
        if (inner === NIL || nodes.color[inner] === BLACK) {
          this.adopt(sibling, parent, RED);
          if (nodes.color[parent] === RED) {
            nodes.setColor(parent, BLACK);
            return;
          }
          node = parent;
          parent = nodes.parent[node];
          if (parent === NIL) return;
          continue;
        }
        const grandchild = nodes.child[2 * inner + far];
        nodes.setChild(sibling, near, grandchild);
        nodes.setChild(inner, far, sibling);
        nodes.setChild(parent, far, inner);
        if (grandchild !== NIL) this.adopt(grandchild, sibling, BLACK);
        this.augmentRotate(sibling, inner);
        outer = sibling;
        sibling = inner;
      }
      const inner = nodes.child[2 * sibling + near];
      nodes.setChild(parent, far, inner);
      nodes.setChild(sibling, near, parent);
      this.adopt(outer, sibling, BLACK);
      if (inner !== NIL) nodes.setParent(inner, parent);
      this.rotateParents(parent, sibling, BLACK);
      this.augmentRotate(parent, sibling);
      return;
    }
  }
}
