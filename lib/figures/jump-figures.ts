import type { ExperimentResult } from '../experiments/experiment';
import type { ResultTable } from '../experiments/table';
import type { Figure, PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import {
  axis,
  categoryAxis,
  distinct,
  legendBelow,
  margins,
  panelTitle,
  points,
  resultFigure,
  rowsWhere,
} from './parts';

const LANDINGS = [
  {
    name: 'guard page: fault',
    landing: 'guard page',
    outcome: null,
    color: OKABE_ITO.bluishGreen,
    symbol: 'square',
  },
  {
    name: 'unmapped below it: fault',
    landing: 'unmapped',
    outcome: null,
    color: OKABE_ITO.skyBlue,
    symbol: 'diamond',
  },
  {
    name: 'mapped: noticed later',
    landing: 'mapped: no fault',
    outcome: 'delayed',
    color: OKABE_ITO.orange,
    symbol: 'triangle-up',
  },
  {
    name: 'mapped: never noticed',
    landing: 'mapped: no fault',
    outcome: 'silent',
    color: OKABE_ITO.vermillion,
    symbol: 'x',
  },
] as const;

const HOLES: Readonly<Record<string, string>> = {
  empty: 'model,<br>holes empty',
  filled: 'model,<br>holes filled',
  'as they were': 'recorded',
};

/** Where one kind of landing gives way to the next, in words. */
function stretches({ rows }: ResultTable, holes: string): string {
  const here = rows
    .filter((row) => row.holes === holes)
    .sort((a, b) => Number(a.below) - Number(b.below));
  const last = here.filter((row, i) => row.landing !== here[i + 1]?.landing);
  return last.map(({ landing, below }) => `${landing} up to ${below}`).join(', ');
}

/** What a store hits, by how far below the stack it lands. */
export function guardJumpFigure(result: ExperimentResult): Figure {
  const { table, params } = result;
  const data: PlotlyObject[] = LANDINGS.map(({ name, landing, outcome, color, symbol }) => {
    const rows = rowsWhere(
      table,
      (row) => row.landing === landing && (outcome === null || row.outcome === outcome),
    );
    const recorded = rows.map(({ row }) => row.evidence === 'recorded');
    return {
      type: 'scatter',
      mode: 'markers',
      name,
      marker: {
        color,
        symbol: recorded.map((real) => (real ? `${symbol}-open` : symbol)),
        size: recorded.map((real) => (real ? 13 : 7)),
        opacity: 1,
        line: { width: 1.5, color },
      },
      text: rows.map(({ row }) => `${row.access}, noticed: ${row.outcome}`),
      hovertemplate: '%{x} bytes below: %{text}<extra>%{fullData.name}</extra>',
      ...points(rows, 'below', 'holes', (text) => HOLES[text] ?? text),
    };
  });
  for (const [at, name, dash] of [
    [4096, 'end of the guard page', 'dot'],
    [16_384, 'top of the next stack', 'dash'],
  ] as const) {
    data.push({
      type: 'scatter',
      mode: 'lines',
      name,
      line: { color: OKABE_ITO.grey, width: 1.5, dash },
      x: [at, at],
      y: [HOLES.empty, HOLES['as they were']],
      meta: { reference: true },
      hoverinfo: 'name',
    });
  }
  return resultFigure(result, {
    caption:
      'Each mark is one frame whose lowest byte lands that far below the stack. In the first 4096 bytes the guard page catches it. Beyond that nothing promises a fault: in a row of stacks alone 12 KB more are unmapped, but a small area may fill that hole, and from 16 KB on lies the next stack.',
    alt: `Strip chart. Horizontal: bytes below the stack, 0 to ${params.reach}. Vertical: model with empty alignment holes, with filled ones, and recorded boots. ${distinct(
      table,
      'holes',
    )
      .map((holes) => `${(HOLES[holes] ?? holes).replace('<br>', ' ')}: ${stretches(table, holes)}`)
      .join('. ')}.`,
    data,
    layout: {
      height: 400,
      xaxis: axis('distance below the base (bytes)', {
        range: [-700, Number(params.reach) + 700],
        zeroline: false,
      }),
      yaxis: categoryAxis([HOLES.empty, HOLES.filled, HOLES['as they were']]),
      legend: legendBelow(-0.25),
      margin: margins({ b: 140 }),
    },
  });
}

const PARTS = [
  { key: 'fits', name: 'fits into the stack', color: OKABE_ITO.grey, shape: '' },
  { key: 'guard', name: 'guard page: fault', color: OKABE_ITO.bluishGreen, shape: '/' },
  { key: 'unmapped', name: 'unmapped below it: fault', color: OKABE_ITO.skyBlue, shape: '.' },
  { key: 'silent', name: 'mapped: no fault', color: OKABE_ITO.vermillion, shape: 'x' },
] as const;

/** Where the lowest byte of a frame lands, by the frame's size, over all depths of the stack. */
export function jumpByFrameFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const holes = distinct(table, 'holes');
  const data = holes.flatMap((hole, i) =>
    PARTS.map(({ key, name, color, shape }): PlotlyObject => {
      const rows = rowsWhere(table, (row) => row.holes === hole);
      const { x, y, customdata } = points(rows, 'frame', key);
      return {
        type: 'bar',
        name,
        legendgroup: key,
        showlegend: i === 0,
        yaxis: i === 0 ? 'y' : 'y2',
        marker: { color, pattern: { shape, fillmode: 'overlay', solidity: 0.3 } },
        x: x.map(String),
        y,
        customdata,
        hovertemplate: `frame of %{x} bytes: %{y} % ${name}<extra></extra>`,
      };
    }),
  );
  const frames = distinct(table, 'frame');
  const first = (hole: string) =>
    table.rows.find((row) => row.holes === hole && Number(row.silent) > 0)?.frame ?? 'none';
  return resultFigure(result, {
    caption:
      'Each bar: all depths at which a frame of that size may be entered. No frame of a page or less ever passes the guard, and compilers warn above 2048 bytes (FRAME_WARN). Larger ones can, and how soon depends on what fills the holes between the stacks.',
    alt: `Two stacked bar charts, alignment holes empty above and filled below. Horizontal: size of the frame, ${frames[0]} to ${frames[frames.length - 1]} bytes. Vertical: share of depths, 0 to 100 %. Frames up to 4096 bytes fit or hit the guard page; the first that meet no fault anywhere have ${first('empty')} bytes with empty holes and ${first('filled')} with filled ones.`,
    data,
    layout: {
      barmode: 'stack',
      bargap: 0.2,
      height: 620,
      xaxis: axis('size of the frame (bytes)', { type: 'category', anchor: 'y2' }),
      yaxis: axis('depths tried (%)', { domain: [0.56, 1], range: [0, 100] }),
      yaxis2: axis('depths tried (%)', { domain: [0, 0.44], range: [0, 100] }),
      annotations: [
        panelTitle('alignment holes empty', 0, 1),
        panelTitle('alignment holes filled', 0, 0.44),
      ],
      legend: legendBelow(-0.15),
      margin: margins({ b: 120 }),
    },
  });
}
