import type { PlotlyObject } from '../figure';
import { coordinate, pixel, type Axis } from './axis';
import { contrasting, scaleColour } from './colours';
import { axesOf, panelOf, type Axes } from './panels';
import type { Definitions } from './definitions';
import { list, num, part, str } from './read';
import { element, escapeXml, short } from './svg';

const VIRIDIS: readonly (readonly [number, string])[] = [
  [0, '#440154'],
  [0.25, '#3b528b'],
  [0.5, '#21918c'],
  [0.75, '#5ec962'],
  [1, '#fde725'],
];

/** The cells of a heatmap, with their texts where it has some. */
export function drawHeatmap(trace: PlotlyObject, axes: Axes, definitions: Definitions): string {
  const { x, y } = axesOf(trace, axes);
  const rows = list(trace.z).map(list);
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const [xEdges, yEdges] = [edges(x, list(trace.x), columns), edges(y, list(trace.y), rows.length)];
  const numbers = rows.flat().filter((z): z is number => typeof z === 'number');
  const low = num(trace.zmin, Math.min(...numbers));
  const high = num(trace.zmax, Math.max(...numbers));
  const scale = list(trace.colorscale).map((step) => list(step) as [number, string]);
  const colours = scale.length > 0 ? scale : VIRIDIS;
  const [xgap, ygap] = [num(trace.xgap, 0), num(trace.ygap, 0)];
  const font = part(trace, 'textfont');
  const size = num(font.size, 10);
  const texts = list(trace.text).map(list);
  const shown = str(trace.texttemplate, '').includes('%{text}');
  const boxes = new Map<string, string>();
  const labels = new Map<string, string[]>();
  for (const [j, row] of rows.entries()) {
    const [top, bottom] = [yEdges[j], yEdges[j + 1]].sort((a, b) => a - b);
    const fills = row.map((z) =>
      typeof z === 'number'
        ? scaleColour(colours, high > low ? (z - low) / (high - low) : 0.5)
        : '',
    );
    for (let i = 0; i < row.length;) {
      // Neighbours of one colour are drawn as one, the gaps between them afterwards: fewer bytes.
      let end = i + 1;
      while (end < row.length && fills[end] === fills[i]) end += 1;
      const [left, right] = [xEdges[i], xEdges[end]].sort((a, b) => a - b);
      const [width, height] = [right - left - xgap, bottom - top - ygap].map(short);
      const d = `M${short(left + xgap / 2)},${short(top + ygap / 2)}h${width}v${height}h-${width}z`;
      if (fills[i] !== '') boxes.set(fills[i], (boxes.get(fills[i]) ?? '') + d);
      i = end;
    }
    for (const [i, fill] of fills.entries()) {
      const told = shown && fill !== '' ? String(texts[j]?.[i] ?? '') : '';
      if (told === '') continue;
      const color = str(font.color, contrasting(fill));
      const place = { x: (xEdges[i] + xEdges[i + 1]) / 2, y: (top + bottom) / 2 + 0.35 * size };
      labels.set(color, [...(labels.get(color) ?? []), element('text', place, escapeXml(told))]);
    }
  }
  const groups = [...labels].map(([fill, of]) =>
    element('g', { fill, 'font-size': size, 'text-anchor': 'middle' }, of.join('')),
  );
  const paths = [...boxes].map(([fill, d]) => element('path', { d, fill }));
  return definitions.clip(
    [...paths, hairlines(xEdges, yEdges, xgap), ...groups].join(''),
    panelOf({ x, y }),
  );
}

/** The gaps between neighbouring cells. */
function hairlines(xEdges: readonly number[], yEdges: readonly number[], width: number): string {
  if (width === 0) return '';
  const [top, bottom] = [yEdges[0], yEdges[yEdges.length - 1]].map(short);
  const d = xEdges.slice(1, -1).map((x) => `M${short(x)},${top}V${bottom}`);
  return element('path', { d: d.join(''), stroke: '#fff', 'stroke-width': width });
}

/** The pixels between which the cells lie: halfway between neighbours. */
function edges(axis: Axis, values: readonly unknown[], count: number): number[] {
  const at = Array.from({ length: count }, (_, i) =>
    coordinate(axis, values.length > 0 ? values[i] : i),
  );
  const half = count > 1 ? (at[1] - at[0]) / 2 : 0.5;
  const between = at.slice(1).map((value, i) => (value + at[i]) / 2);
  const last = count > 1 ? (at[count - 1] - at[count - 2]) / 2 : 0.5;
  return [at[0] - half, ...between, at[count - 1] + last].map((value) => pixel(axis, value));
}
