import type { PlotlyObject } from '../figure';
import { coordinate, pixel } from './axis';
import type { Box } from './frame';
import { dashArray } from './marks';
import type { Axes } from './panels';
import { num, objects, part, str } from './read';
import { element, short, text, textHeight, textWidth } from './svg';

/** A place on an axis, in its panel (`x domain`) or on the paper, in pixels. */
function place(ref: unknown, value: unknown, letter: 'x' | 'y', axes: Axes, box: Box): number {
  const name = str(ref, letter);
  const [id, domain] = name.split(' ');
  const axis = axes.get(id);
  if (name === 'paper' || !axis) {
    const share = num(value, 0);
    return letter === 'x'
      ? box.left + share * (box.right - box.left)
      : box.bottom - share * (box.bottom - box.top);
  }
  if (domain === 'domain') {
    return axis.pixels[0] + num(value, 0) * (axis.pixels[1] - axis.pixels[0]);
  }
  // On a logarithmic axis annotations are placed by exponent, shapes by value; both read alike here.
  return pixel(axis, coordinate(axis, value));
}

/** Lines and rectangles, below or above the traces. */
export function drawShapes(
  layout: PlotlyObject,
  layer: 'below' | 'above',
  axes: Axes,
  box: Box,
): string {
  return objects(layout.shapes)
    .filter((shape) => str(shape.layer, 'above') === layer && shape.visible !== false)
    .map((shape) => drawShape(shape, axes, box))
    .join('');
}

function drawShape(shape: PlotlyObject, axes: Axes, box: Box): string {
  const [x0, x1] = ['x0', 'x1'].map((key) => place(shape.xref, shape[key], 'x', axes, box));
  const [y0, y1] = ['y0', 'y1'].map((key) => place(shape.yref, shape[key], 'y', axes, box));
  if (![x0, x1, y0, y1].every(Number.isFinite)) return '';
  const line = part(shape, 'line');
  const width = num(line.width, 2);
  const stroke = {
    stroke: width > 0 ? str(line.color, '#444') : undefined,
    'stroke-width': width > 0 ? width : undefined,
    'stroke-dasharray': dashArray(line.dash, width),
    opacity: num(shape.opacity, 1) === 1 ? undefined : String(shape.opacity),
  };
  const rect = {
    x: Math.min(x0, x1),
    y: Math.min(y0, y1),
    width: Math.abs(x1 - x0),
    height: Math.abs(y1 - y0),
  };
  const fill = str(shape.fillcolor, 'none');
  const drawn =
    shape.type === 'line'
      ? element('path', { d: `M${short(x0)},${short(y0)}L${short(x1)},${short(y1)}`, ...stroke })
      : shape.type === 'circle'
        ? element('ellipse', {
            cx: rect.x + rect.width / 2,
            cy: rect.y + rect.height / 2,
            rx: rect.width / 2,
            ry: rect.height / 2,
            fill,
            ...stroke,
          })
        : shape.type === 'rect'
          ? element('rect', { ...rect, fill, ...stroke })
          : '';
  return drawn + shapeLabel(part(shape, 'label'), rect);
}

function shapeLabel(
  label: PlotlyObject,
  rect: { x: number; y: number; width: number; height: number },
): string {
  const content = str(label.text, '');
  if (content === '') return '';
  const position = str(label.textposition, 'middle center');
  const vertical = position.includes('top')
    ? 'top'
    : position.includes('bottom')
      ? 'bottom'
      : 'middle';
  const y = { top: rect.y + 3, bottom: rect.y + rect.height - 3, middle: rect.y + rect.height / 2 }[
    vertical
  ];
  const anchor = position.includes('left')
    ? 'start'
    : position.includes('right')
      ? 'end'
      : 'middle';
  const x = { start: rect.x + 3, end: rect.x + rect.width - 3, middle: rect.x + rect.width / 2 }[
    anchor
  ];
  const font = part(label, 'font');
  const color = typeof font.color === 'string' ? font.color : undefined;
  return text(content, x, y, { anchor, vertical, size: num(font.size, 12), color });
}

const ANCHOR = { left: 'start', center: 'middle', right: 'end' } as const;

/** Texts at a place, with the arrow that leads to it. */
export function drawAnnotations(layout: PlotlyObject, axes: Axes, box: Box): string {
  return objects(layout.annotations)
    .filter(({ visible }) => visible !== false)
    .map((note) => {
      const content = str(note.text, '');
      const font = part(note, 'font');
      const size = num(font.size, 12);
      const x = place(note.xref, note.x, 'x', axes, box) + num(note.xshift, 0);
      const y = place(note.yref, note.y, 'y', axes, box) - num(note.yshift, 0);
      if (!Number.isFinite(x) || !Number.isFinite(y)) return '';
      const arrow = note.showarrow !== false;
      const [dx, dy] = arrow ? [num(note.ax, -10), num(note.ay, -30)] : [0, 0];
      const [width, height] = [textWidth(content, size), textHeight(content, size)];
      const xanchor = arrow
        ? 'center'
        : autoAnchor(str(note.xanchor, 'auto'), num(note.x, 0.5), note.xref);
      const yanchor = arrow
        ? 'middle'
        : verticalAnchor(str(note.yanchor, 'auto'), num(note.y, 0.5), note.yref);
      const color = typeof font.color === 'string' ? font.color : undefined;
      const left = x + dx - { left: 0, center: width / 2, right: width }[xanchor];
      const top = y + dy - { top: 0, middle: height / 2, bottom: height }[yanchor];
      const ground =
        typeof note.bgcolor === 'string'
          ? element('rect', {
              x: left - 2,
              y: top - 1,
              width: width + 4,
              height: height + 2,
              fill: note.bgcolor,
            })
          : '';
      const line = arrow
        ? element('path', {
            d: `M${short(x + dx)},${short(y + dy)}L${short(x)},${short(y)}`,
            stroke: str(note.arrowcolor, '#444'),
          })
        : '';
      const style = { anchor: ANCHOR[xanchor], vertical: yanchor, size, color };
      return line + ground + text(content, x + dx, y + dy, style);
    })
    .join('');
}

type Horizontal = 'left' | 'center' | 'right';
type Vertical = 'top' | 'middle' | 'bottom';

/** `auto` turns to the side of the paper that is nearer. */
function autoAnchor(anchor: string, x: number, ref: unknown): Horizontal {
  if (anchor === 'left' || anchor === 'right' || anchor === 'center') return anchor;
  return ref !== 'paper' ? 'center' : x < 1 / 3 ? 'left' : x > 2 / 3 ? 'right' : 'center';
}

function verticalAnchor(anchor: string, y: number, ref: unknown): Vertical {
  if (anchor === 'top' || anchor === 'bottom' || anchor === 'middle') return anchor;
  return ref !== 'paper' ? 'middle' : y < 1 / 3 ? 'bottom' : y > 2 / 3 ? 'top' : 'middle';
}
