import type { PlotlyObject } from '../figure';
import { axisTitle, pixel, ticksOf, type Axis } from './axis';
import { anchorOf, type Axes } from './panels';
import { num, part } from './read';
import { element, text, TEXT_SIZE, textHeight, textWidth } from './svg';

/** The part of the picture in which all panels lie. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const GRID = '#e3e6ea';
const ZERO = '#9aa1a9';
const TICK_GAP = 6;

/** The box that margins leave; those with `automargin` grow with their tick labels. */
export function frameBox(axes: Axes, layout: PlotlyObject, width: number, height: number): Box {
  const margin = part(layout, 'margin');
  const box = {
    left: num(margin.l, 80),
    top: num(margin.t, 100),
    right: width - num(margin.r, 80),
    bottom: height - num(margin.b, 80),
  };
  for (const axis of axes.values()) {
    if (axis.letter !== 'y' || (anchorOf(axis, axes)?.domain[0] ?? 0) > 0) continue;
    axis.pixels = [box.bottom, box.top];
    box.left = Math.max(box.left, leftOf(axis));
  }
  return box;
}

/** The room that a vertical axis takes to the left of it. */
function leftOf(axis: Axis): number {
  const labels =
    axis.layout.showticklabels === false ? [] : ticksOf(axis).map(({ label }) => label);
  const widest = Math.max(0, ...labels.map((label) => textWidth(label)));
  const title = axisTitle(axis);
  return widest + TICK_GAP + 8 + (title === '' ? 0 : textHeight(title) + 8);
}

/** Places all axes within the box. */
export function placeAxes(axes: Axes, { left, right, top, bottom }: Box): void {
  for (const axis of axes.values()) {
    const [from, to] = axis.letter === 'x' ? [left, right] : [bottom, top];
    const [low, high] = axis.domain;
    axis.pixels = [from + low * (to - from), from + high * (to - from)];
  }
}

/** Grid lines, tick labels and title of one axis. */
export function drawAxis(axis: Axis, axes: Axes): { grid: string; labels: string } {
  const other = anchorOf(axis, axes);
  if (!other || axis.layout.visible === false) return { grid: '', labels: '' };
  return axis.letter === 'x' ? drawX(axis, other) : drawY(axis, other);
}

function drawX(axis: Axis, { pixels: [bottom, top] }: Axis): { grid: string; labels: string } {
  const edge = axis.layout.side === 'top' ? top : bottom;
  const outward = axis.layout.side === 'top' ? -1 : 1;
  const ticks = ticksOf(axis);
  const at = ticks.map((tick) => pixel(axis, tick.at));
  const shown = axis.layout.showticklabels !== false;
  const room =
    at.length > 1 ? Math.min(...at.slice(1).map((x, i) => Math.abs(x - at[i]))) : Infinity;
  const widest = Math.max(0, ...ticks.map(({ label }) => textWidth(label)));
  const every = Math.max(1, Math.ceil((widest + 4) / room));
  const lines = at.map((x, i) =>
    gridLine(axis, ticks[i].at, `M${x.toFixed(1)},${bottom.toFixed(1)}V${top.toFixed(1)}`),
  );
  const labels = ticks.map(({ label }, i) =>
    shown && i % every === 0
      ? text(label, at[i], edge + outward * TICK_GAP, {
          anchor: 'middle',
          vertical: outward > 0 ? 'top' : 'bottom',
        })
      : '',
  );
  const below = shown ? Math.max(0, ...ticks.map(({ label }) => textHeight(label))) : 0;
  const title = axisTitle(axis);
  const middle = (axis.pixels[0] + axis.pixels[1]) / 2;
  if (title !== '') {
    labels.push(
      text(title, middle, edge + outward * (TICK_GAP + below + 8), {
        anchor: 'middle',
        vertical: outward > 0 ? 'top' : 'bottom',
      }),
    );
  }
  return { grid: lines.join(''), labels: labels.join('') };
}

function drawY(axis: Axis, { pixels: [left, right] }: Axis): { grid: string; labels: string } {
  const onRight = axis.layout.side === 'right';
  const edge = onRight ? right : left;
  const ticks = ticksOf(axis);
  const shown = axis.layout.showticklabels !== false;
  const lines = ticks.map((tick) => {
    const y = pixel(axis, tick.at).toFixed(1);
    return gridLine(axis, tick.at, `M${left.toFixed(1)},${y}H${right.toFixed(1)}`);
  });
  const labels = ticks.map(({ at, label }) =>
    shown
      ? text(label, edge + (onRight ? TICK_GAP : -TICK_GAP), pixel(axis, at), {
          anchor: onRight ? 'start' : 'end',
        })
      : '',
  );
  const widest = shown ? Math.max(0, ...ticks.map(({ label }) => textWidth(label))) : 0;
  const title = axisTitle(axis);
  const middle = (axis.pixels[0] + axis.pixels[1]) / 2;
  if (title !== '') {
    const x = edge + (onRight ? 1 : -1) * (TICK_GAP + widest + 6 + TEXT_SIZE / 2);
    labels.push(text(title, x, middle, { anchor: 'middle', rotate: -90, size: 13 }));
  }
  return { grid: lines.join(''), labels: labels.join('') };
}

function gridLine({ type, layout }: Axis, at: number, d: string): string {
  if (layout.showgrid === false) return '';
  const isZero = type === 'linear' && at === 0 && layout.zeroline !== false;
  return element('path', { d, stroke: isZero ? ZERO : GRID });
}
