import type { OopsReading } from '../experiments/own-machine/read-oops';
import { failingPush, framePushes } from '../experiments/own-machine/exception-frame';
import { hex } from '../x86/addr';
import { Figure, type PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import { axis, categoryAxis, legendBelow, margins } from './parts';

const PAGE = 4096;

interface Mark {
  readonly what: string;
  readonly at: number;
  readonly color: string;
  readonly symbol: string;
}

/** Where the registers of a guard hit lie, in the whole stack and near its end. */
export function guardHitFigure(reading: OopsReading): Figure {
  const { base, top, rsp, cr2, via, command } = reading;
  if (base === null || top === null || rsp === null || cr2 === null) {
    throw new RangeError('reading: expected an oops with stack, RSP and CR2, got one without');
  }
  const size = Number(top - base);
  const at = (address: bigint) => Number(address - base);
  const failed = via === '#DF' ? failingPush(rsp, base) : null;
  const words = framePushes(rsp).map(at);
  const stored = words.filter((word) => word >= 0 && (failed === null || word > at(failed)));
  const marks: Mark[] = [
    { what: 'RSP', at: at(rsp), color: OKABE_ITO.blue, symbol: 'triangle-up' },
    { what: 'CR2', at: at(cr2), color: OKABE_ITO.vermillion, symbol: 'x' },
  ];
  const rows: (string | number)[][] = [
    ['guard page, lowest byte', -PAGE, hex(base - BigInt(PAGE))],
    ['base of the stack', 0, hex(base)],
    ['top of the stack', size, hex(top)],
    ...marks.map(({ what, at: offset }) => [what, offset, hex(base + BigInt(offset))]),
    ...stored.map((word) => ['frame', word, hex(base + BigInt(word))]),
  ];
  const low = Math.min(at(cr2), at(rsp), 0);
  const near = at(rsp) < 1024 ? [low - 64, Math.max(at(rsp), 0) + 96] : [low - 64, 160];
  const data: PlotlyObject[] = [];
  const shapes: PlotlyObject[] = [];
  for (const [axes, range] of [
    [{ xaxis: 'x', yaxis: 'y' }, [-PAGE, size]],
    [{ xaxis: 'x2', yaxis: 'y2' }, near],
  ] as const) {
    const whole = axes.xaxis === 'x';
    const inRange = (offset: number) => offset >= range[0] && offset <= range[1];
    shapes.push(
      area('guard page', Math.max(-PAGE, range[0]), 0, axes, 'dash', OKABE_ITO.vermillion),
      area('stack', 0, Math.min(size, range[1]), axes, 'solid', OKABE_ITO.bluishGreen),
    );
    if (!whole && via === '#DF' && stored.some(inRange)) {
      data.push({
        type: 'scatter',
        mode: 'markers',
        name: 'words of the page fault’s frame that were pushed',
        ...axes,
        marker: { color: OKABE_ITO.grey, symbol: 'square', size: 8 },
        x: stored.filter(inRange),
        y: stored.filter(inRange).map(() => 'frame'),
        customdata: stored.flatMap((word, i) => (inRange(word) ? [5 + i] : [])),
        hovertemplate: 'pushed %{x} bytes from the base<extra></extra>',
      });
    }
    marks.forEach(({ what, at: offset, color, symbol }, i) => {
      if (!inRange(offset)) return;
      data.push({
        type: 'scatter',
        mode: 'markers',
        name: what,
        legendgroup: what,
        showlegend: whole,
        ...axes,
        marker: { color, symbol, size: 13 },
        x: [offset],
        y: [what],
        customdata: [3 + i],
        hovertemplate: `${what}: %{x} bytes from the base<extra></extra>`,
      });
    });
  }
  const told = `RSP ${at(rsp)} and CR2 ${at(cr2)} bytes from the base of a stack of ${size / 1024} KB`;
  return new Figure({
    title: `A guard hit that came as ${via}`,
    caption:
      via === '#DF'
        ? `RSP lay ${at(rsp) < 0 ? 'below the stack' : 'too near to its end'}: the page fault’s frame could not be pushed. CR2 names the word of it that failed, not what the program touched.`
        : 'RSP lay well inside the stack: the page fault could be delivered on it, and CR2 names what the program touched.',
    alt: `Diagram in two panels. Horizontal: bytes from the base of the stack, the whole stack above, its end below. Vertical: RSP, CR2 and words of the frame. ${told}.`,
    data,
    layout: {
      height: 440,
      shapes,
      xaxis: axis('bytes from the base: whole stack (bytes)', {
        range: [-PAGE - 400, size + 400],
        anchor: 'y',
        zeroline: false,
      }),
      yaxis: categoryAxis(['RSP', 'CR2', ''], { domain: [0.6, 1], anchor: 'x' }),
      xaxis2: axis('bytes from the base: its end (bytes)', {
        range: near,
        anchor: 'y2',
        zeroline: false,
      }),
      yaxis2: categoryAxis(
        ['RSP', 'CR2', ...(stored.length > 0 && via === '#DF' ? ['frame'] : []), ''],
        { domain: [0, 0.38], anchor: 'x2' },
      ),
      legend: legendBelow(-0.25),
      margin: margins({ b: 120, t: 50 }),
    },
    table: { columns: ['what', 'from the base (bytes)', 'address'], rows },
    command,
  });
}

/** A stretch of addresses behind the marks of a panel, with its name in it. */
function area(
  text: string,
  from: number,
  to: number,
  { xaxis, yaxis }: { readonly xaxis: string; readonly yaxis: string },
  dash: string,
  color: string,
): PlotlyObject {
  return {
    type: 'rect',
    layer: 'below',
    xref: xaxis,
    yref: `${yaxis} domain`,
    x0: from,
    x1: to,
    y0: 0,
    y1: 1,
    fillcolor: color,
    opacity: 0.16,
    line: { color, width: 1, dash },
    label: { text, textposition: 'bottom center' },
  };
}

/** Which functions a call trace is made of: what is left to draw where an oops gives no addresses. */
export function callTraceFigure(reading: OopsReading): Figure {
  const { trace, command } = reading;
  if (trace.length === 0) {
    throw new RangeError('reading: expected an oops with addresses or a call trace, got neither');
  }
  const counts = new Map<string, number>();
  for (const fn of trace) counts.set(fn, (counts.get(fn) ?? 0) + 1);
  const shown = [...counts].slice(0, MOST_FUNCTIONS);
  const names = shown.map(([fn]) => fn);
  return new Figure({
    title: 'The call trace of an oops',
    caption: `Functions of the call trace from the innermost on, and how often each occurs: ${trace.length} frames in all${counts.size > shown.length ? `, the first ${shown.length} functions` : ''}. One that occurs often is a recursion.`,
    alt: `Bar chart. Vertical: ${names.length} functions, innermost first. Horizontal: how often each occurs, 1 to ${Math.max(...counts.values())}.`,
    data: [
      {
        type: 'bar',
        orientation: 'h',
        name: 'frames',
        marker: { color: OKABE_ITO.blue, pattern: { shape: '' } },
        x: shown.map(([, times]) => times),
        y: names,
        customdata: names.map((_, i) => i),
        hovertemplate: '%{y}(): %{x}<extra></extra>',
      },
    ],
    layout: {
      height: 160 + 22 * names.length,
      xaxis: axis('frames (number)', { rangemode: 'tozero' }),
      yaxis: categoryAxis(names),
      margin: margins(),
    },
    table: { columns: ['function', 'frames'], rows: [...counts].map(([fn, times]) => [fn, times]) },
    command,
  });
}

const MOST_FUNCTIONS = 30;

/** The figure of an oops: where its registers lie, or what its call trace is made of. */
export function oopsFigure(reading: OopsReading): Figure {
  const { base, top, rsp, cr2, via } = reading;
  const located = base !== null && top !== null && rsp !== null && cr2 !== null && via !== null;
  return located ? guardHitFigure(reading) : callTraceFigure(reading);
}
