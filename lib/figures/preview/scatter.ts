import type { PlotlyObject } from '../figure';
import { coordinate, pixel, type Axis } from './axis';
import { dashArray } from './marks';
import type { Definitions } from './definitions';
import { axesOf, errorAt, panelOf, type Axes } from './panels';
import { at, list, num, part, str, traceColour } from './read';
import { element, short, text } from './svg';

interface Point {
  readonly x: number;
  readonly y: number;
  readonly index: number;
}

/** Lines, areas, whiskers, marks and texts of one scatter trace. `shift`: within a category. */
export function drawScatter(
  trace: PlotlyObject,
  index: number,
  axes: Axes,
  definitions: Definitions,
  shift: number,
): { lines: string; marks: string } {
  const { x, y } = axesOf(trace, axes);
  const across = trace.orientation === 'h' ? 0 : shift;
  const along = trace.orientation === 'h' ? shift : 0;
  const values = { x: list(trace.x), y: list(trace.y) };
  const points = values.y.map((value, i): Point => ({
    x: pixel(x, coordinate(x, values.x.length > 0 ? values.x[i] : i) + across),
    y: pixel(y, coordinate(y, value) + along),
    index: i,
  }));
  const mode = str(trace.mode, points.length < 20 ? 'lines+markers' : 'lines');
  const colour = traceColour(trace, index);
  const runs = unbroken(points);
  const line = part(trace, 'line');
  const opacity = num(trace.opacity, 1) === 1 ? undefined : String(trace.opacity);
  const drawn: string[] = [area(trace, runs, x, y, colour, definitions)];
  if (mode.includes('lines')) {
    const width = num(line.width, 2);
    const d = runs.map((run) => path(run, str(line.shape, 'linear'))).join('');
    const color = str(line.color, colour);
    const stroke = { d, fill: 'none', stroke: color, 'stroke-width': width, opacity };
    if (d !== '')
      drawn.push(element('path', { ...stroke, 'stroke-dasharray': dashArray(line.dash, width) }));
  }
  const marks: string[] = [
    definitions.clip(whiskers(trace, points, x, y, colour), panelOf({ x, y })),
  ];
  const inside = points.filter((point) => isWithin(point, panelOf({ x, y })));
  if (mode.includes('markers')) marks.push(...marksOf(trace, inside, colour, definitions));
  if (mode.includes('text')) marks.push(...textsOf(trace, inside));
  return { lines: definitions.clip(drawn.join(''), panelOf({ x, y })), marks: marks.join('') };
}

const isPlaced = ({ x, y }: Point) => Number.isFinite(x) && Number.isFinite(y);

function isWithin({ x, y }: Point, box: ReturnType<typeof panelOf>): boolean {
  return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
}

/** The runs of points without a gap between them. */
function unbroken(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [[]];
  for (const point of points) {
    if (isPlaced(point)) runs[runs.length - 1].push(point);
    else if (runs[runs.length - 1].length > 0) runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

function path(run: readonly Point[], shape: string): string {
  const steps = run.map(({ x, y }, i) => {
    const [tx, ty] = [short(x), short(y)];
    if (i === 0) return `M${tx},${ty}`;
    if (shape === 'hv') return `H${tx}V${ty}`;
    if (shape === 'vh') return `V${ty}H${tx}`;
    if (shape === 'hvh') return `H${short((x + run[i - 1].x) / 2)}V${ty}H${tx}`;
    return `L${tx},${ty}`;
  });
  return steps.join('');
}

function area(
  trace: PlotlyObject,
  runs: readonly (readonly Point[])[],
  x: Axis,
  y: Axis,
  colour: string,
  definitions: Definitions,
): string {
  const { fill } = trace;
  if (fill !== 'tozeroy' && fill !== 'tozerox' && fill !== 'toself') return '';
  const shape = str(part(trace, 'line').shape, 'linear');
  const zero = fill === 'tozeroy' ? zeroOf(y) : zeroOf(x);
  const d = runs
    .map((run) => {
      const top = path(run, shape);
      const [first] = run;
      if (fill === 'toself') return `${top}Z`;
      return fill === 'tozeroy'
        ? `${top}V${short(zero)}H${short(first.x)}Z`
        : `${top}H${short(zero)}V${short(first.y)}Z`;
    })
    .join('');
  const pattern = part(trace, 'fillpattern');
  const own = str(trace.fillcolor, '');
  const hatched = str(pattern.shape, '');
  const color = own !== '' ? own : hatched !== '' ? 'none' : colour;
  const paint = definitions.paint(
    hatched,
    color,
    str(pattern.fgcolor, colour),
    num(pattern.size, 8),
  );
  return element('path', {
    d,
    fill: paint,
    'fill-opacity': own === '' && hatched === '' ? '0.35' : undefined,
    opacity: hatched !== '' ? String(num(pattern.fgopacity, 0.6)) : undefined,
  });
}

/** Where zero lies, or the edge nearest to it. */
function zeroOf(axis: Axis): number {
  const [low, high] = axis.range[0] < axis.range[1] ? axis.range : [axis.range[1], axis.range[0]];
  return pixel(axis, axis.type === 'log' ? low : Math.min(high, Math.max(low, 0)));
}

function whiskers(
  trace: PlotlyObject,
  points: readonly Point[],
  x: Axis,
  y: Axis,
  colour: string,
): string {
  const drawn: string[] = [];
  for (const [letter, axis] of [
    ['x', x],
    ['y', y],
  ] as const) {
    const bars = part(trace, `error_${letter}`);
    const cap = num(bars.width, 4);
    const d = points
      .filter(isPlaced)
      .map((point) => {
        const value = Number(list(trace[letter])[point.index]);
        const [minus, plus] = errorAt(bars, point.index);
        if (minus === 0 && plus === 0) return '';
        const [from, to] = [value - minus, value + plus].map((end) => {
          const place = pixel(axis, coordinate(axis, end));
          return short(Number.isFinite(place) ? place : axis.pixels[0]);
        });
        const [px, py] = [short(point.x), short(point.y)];
        return letter === 'x'
          ? `M${from},${py}H${to}M${from},${short(point.y - cap)}v${2 * cap}M${to},${short(point.y - cap)}v${2 * cap}`
          : `M${px},${from}V${to}M${short(point.x - cap)},${from}h${2 * cap}M${short(point.x - cap)},${to}h${2 * cap}`;
      })
      .join('');
    const stroke = str(bars.color, colour);
    if (d !== '')
      drawn.push(
        element('path', { d, fill: 'none', stroke, 'stroke-width': num(bars.thickness, 2) }),
      );
  }
  return drawn.join('');
}

function marksOf(
  trace: PlotlyObject,
  points: readonly Point[],
  colour: string,
  definitions: Definitions,
): string[] {
  const marker = part(trace, 'marker');
  const outline = part(marker, 'line');
  return points.map(({ x, y, index }) =>
    definitions.mark(x, y, {
      symbol: str(at(marker.symbol, index), 'circle'),
      size: num(at(marker.size, index), 6),
      color: str(at(marker.color, index), colour),
      lineColor: outline.color === undefined ? undefined : str(at(outline.color, index), colour),
      lineWidth: outline.width === undefined ? undefined : num(at(outline.width, index), 0),
      opacity: num(at(marker.opacity, index), num(trace.opacity, 1)),
    }),
  );
}

function textsOf(trace: PlotlyObject, points: readonly Point[]): string[] {
  const font = part(trace, 'textfont');
  return points.map(({ x, y, index }) => {
    const content = at(trace.text, index);
    if (typeof content !== 'string' || content === '') return '';
    const place = str(at(trace.textposition, index), 'middle center');
    const [dx, anchor] = place.includes('right')
      ? [6, 'start']
      : place.includes('left')
        ? [-6, 'end']
        : [0, 'middle'];
    const [dy, vertical] = place.includes('top')
      ? [-6, 'bottom']
      : place.includes('bottom')
        ? [6, 'top']
        : [0, 'middle'];
    return text(content, x + Number(dx), y + Number(dy), {
      anchor: anchor as 'start',
      vertical: vertical as 'top',
      size: num(font.size, 12),
      color: typeof font.color === 'string' ? font.color : undefined,
    });
  });
}

/** How far a scatter trace is moved within its category, when traces stand side by side. */
export function groupShift(
  trace: PlotlyObject,
  all: readonly PlotlyObject[],
  layout: PlotlyObject,
): number {
  if (layout.scattermode !== 'group') return 0;
  const beside = all.filter(
    (other) =>
      (other.type ?? 'scatter') === 'scatter' &&
      other.xaxis === trace.xaxis &&
      other.yaxis === trace.yaxis,
  );
  const groups = [...new Set(beside.map((other, i) => str(other.offsetgroup, `#${i}`)))];
  const own = groups.indexOf(str(trace.offsetgroup, `#${beside.indexOf(trace)}`));
  const width = (1 - num(layout.scattergap, 0.2)) / groups.length;
  return (own - (groups.length - 1) / 2) * width;
}
