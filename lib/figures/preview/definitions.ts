import { markShape, type Mark } from './marks';
import { element } from './svg';

/** Hatchings, markers and the panels' edges, each defined once in the picture. */
export class Definitions {
  private readonly ids = new Map<string, string>();
  private readonly marks = new Map<string, string>();
  private readonly clips = new Map<string, string>();
  private readonly definitions: string[] = [];

  /** The paint for an area: its colour, hatched if `shape` says so. */
  paint(shape: string, background: string, line: string, size: number = 8): string {
    const drawn = LINES[shape];
    if (drawn === undefined) return background;
    const key = `${shape}|${background}|${line}|${size}`;
    const known = this.ids.get(key);
    if (known !== undefined) return `url(#${known})`;
    const id = `p${this.ids.size + 1}`;
    this.ids.set(key, id);
    const attributes = { id, width: size, height: size, patternUnits: 'userSpaceOnUse' };
    const ground =
      background === 'none' ? '' : element('rect', { width: size, height: size, fill: background });
    const lines =
      shape === '.'
        ? element('circle', { cx: size / 2, cy: size / 2, r: size / 6, fill: line })
        : element('path', { d: drawn(size), stroke: line, 'stroke-width': 1, fill: 'none' });
    this.definitions.push(element('pattern', attributes, ground + lines));
    return `url(#${id})`;
  }

  /** A marker at a place. */
  mark(x: number, y: number, mark: Mark): string {
    const shape = markShape(mark);
    const known = this.marks.get(shape);
    const id = known ?? `m${this.marks.size + 1}`;
    if (known === undefined) {
      this.marks.set(shape, id);
      this.definitions.push(element('g', { id }, shape));
    }
    return element('use', { href: `#${id}`, x, y });
  }

  /** Draws only what lies within a rectangle. */
  clip(drawn: string, box: { x: number; y: number; width: number; height: number }): string {
    if (drawn === '') return '';
    const rect = element('rect', box);
    const known = this.clips.get(rect);
    const id = known ?? `c${this.clips.size + 1}`;
    if (known === undefined) {
      this.clips.set(rect, id);
      this.definitions.push(element('clipPath', { id }, rect));
    }
    return element('g', { 'clip-path': `url(#${id})` }, drawn);
  }

  get defs(): string {
    return this.definitions.length === 0 ? '' : element('defs', {}, this.definitions.join(''));
  }
}

const up = (s: number) =>
  `M0,${s}L${s},0M${-s / 4},${s / 4}L${s / 4},${-s / 4}M${0.75 * s},${1.25 * s}L${1.25 * s},${0.75 * s}`;
const down = (s: number) =>
  `M0,0L${s},${s}M${-s / 4},${0.75 * s}L${s / 4},${1.25 * s}M${0.75 * s},${-s / 4}L${1.25 * s},${s / 4}`;
const flat = (s: number) => `M0,${s / 2}H${s}`;
const upright = (s: number) => `M${s / 2},0V${s}`;

const LINES: Readonly<Record<string, (size: number) => string>> = {
  '/': up,
  '\\': down,
  x: (s) => up(s) + down(s),
  '-': flat,
  '|': upright,
  '+': (s) => flat(s) + upright(s),
  '.': () => '',
};
