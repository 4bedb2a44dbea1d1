import type { PlotlyObject } from '../figure';
import type { Box } from './frame';
import { dashArray } from './marks';
import type { Definitions } from './definitions';
import { at, num, part, str, traceColour } from './read';
import { barPaint } from './bars';
import { element, text, textHeight, textWidth } from './svg';

const KEY = 30;
const GAP = 14;

/** The legend: rows below the plot, or a column where the layout has one. */
export function drawLegend(
  traces: readonly PlotlyObject[],
  layout: PlotlyObject,
  { left, right, top, bottom }: Box,
  width: number,
  definitions: Definitions,
): { readonly drawn: string; readonly bottom: number } {
  const options = part(layout, 'legend');
  const shown = traces
    .map((trace, index) => ({ trace, index, name: str(trace.name, '') }))
    .filter(({ trace, name }) => name !== '' && isListed(trace));
  if (layout.showlegend === false || shown.length < (layout.showlegend === true ? 1 : 2))
    return { drawn: '', bottom: 0 };
  if (str(options.traceorder, 'normal').includes('reversed')) shown.reverse();
  const horizontal = options.orientation === 'h';
  const x0 = left + num(options.x, horizontal ? 0 : 1.02) * (right - left);
  const rows: { items: typeof shown; height: number }[] = [];
  const widest = Math.max(...shown.map(({ name }) => textWidth(name))) + KEY + GAP;
  let used = Infinity;
  for (const item of shown) {
    const needed = horizontal ? widest : Infinity;
    if (used + needed > width - x0 + GAP) {
      rows.push({ items: [], height: 0 });
      used = 0;
    }
    used += needed;
    const row = rows[rows.length - 1];
    row.items.push(item);
    row.height = Math.max(row.height, textHeight(item.name) + 4);
  }
  const height = rows.reduce((sum, row) => sum + row.height, 0);
  const anchor = str(options.yanchor, 'top');
  const y0 = bottom - num(options.y, horizontal ? -0.1 : 1) * (bottom - top);
  let y = anchor === 'bottom' ? y0 - height : anchor === 'middle' ? y0 - height / 2 : y0;
  const drawn: string[] = [];
  for (const row of rows) {
    for (const [i, { trace, index, name }] of row.items.entries()) {
      const x = x0 + i * widest;
      drawn.push(key(trace, index, x, y + row.height / 2, definitions));
      drawn.push(text(name, x + KEY, y + row.height / 2));
    }
    y += row.height;
  }
  return { drawn: drawn.join(''), bottom: y };
}

function isListed({ type, showlegend }: PlotlyObject): boolean {
  return type === 'heatmap' ? showlegend === true : showlegend !== false;
}

/** A sample of how a trace is drawn. */
function key(
  trace: PlotlyObject,
  index: number,
  x: number,
  y: number,
  definitions: Definitions,
): string {
  const colour = str(at(part(trace, 'marker').color, 0), traceColour(trace, index));
  if (trace.type === 'bar' || trace.type === 'heatmap') {
    const fill = barPaint(trace, 0, colour, definitions);
    return element('rect', { x: x + 5, y: y - 6, width: 18, height: 12, fill });
  }
  const drawn: string[] = [];
  const line = part(trace, 'line');
  const mode = str(trace.mode, 'lines+markers');
  if (typeof trace.fill === 'string' && trace.fill !== 'none') {
    const pattern = part(trace, 'fillpattern');
    const own = str(trace.fillcolor, '');
    const hatched = str(pattern.shape, '');
    const fill = definitions.paint(
      hatched,
      own || (hatched ? 'none' : colour),
      str(pattern.fgcolor, colour),
      num(pattern.size, 8),
    );
    drawn.push(
      element('rect', {
        x: x + 2,
        y,
        width: 24,
        height: 7,
        fill,
        'fill-opacity': own || hatched ? undefined : '0.35',
      }),
    );
  }
  if (mode.includes('lines')) {
    const width = Math.min(num(line.width, 2), 6);
    drawn.push(
      element('path', {
        d: `M${x.toFixed(1)},${y.toFixed(1)}h26`,
        stroke: str(line.color, colour),
        'stroke-width': width,
        'stroke-dasharray': dashArray(line.dash, width),
      }),
    );
  }
  if (mode.includes('markers')) {
    const marker = part(trace, 'marker');
    const outline = part(marker, 'line');
    drawn.push(
      definitions.mark(x + 13, y, {
        symbol: str(at(marker.symbol, 0), 'circle'),
        size: Math.min(num(at(marker.size, 0), 6), 12),
        color: colour,
        lineColor: typeof outline.color === 'string' ? outline.color : undefined,
        lineWidth: typeof outline.width === 'number' ? outline.width : undefined,
      }),
    );
  }
  return drawn.join('');
}
