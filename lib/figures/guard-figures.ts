import type { ExperimentResult } from '../experiments/experiment';
import type { Row } from '../experiments/table';
import type { Figure, PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import {
  axis,
  buttonsAbove,
  categoryAxis,
  distinct,
  firstOnTop,
  folded,
  legendBelow,
  margins,
  points,
  resultFigure,
  REVERSED,
  rowsWhere,
} from './parts';

const DELIVERY_MARKS = [
  {
    name: 'word pushed',
    wanted: ({ result }: Row) => result === 'stored',
    marker: { color: OKABE_ITO.bluishGreen, symbol: 'square', size: 6 },
  },
  {
    name: 'word that can’t be pushed: CR2',
    wanted: ({ result }: Row) => result === 'faults: CR2',
    marker: { color: OKABE_ITO.vermillion, symbol: 'x', size: 8 },
  },
  {
    name: 'CR2 of a real guard hit',
    wanted: ({ evidence }: Row) => evidence === 'recorded',
    marker: {
      color: OKABE_ITO.blue,
      symbol: 'circle-open',
      size: 16,
      line: { width: 2.5, color: OKABE_ITO.blue },
    },
  },
] as const;

/** The words of a page fault's frame against the end of the stack, by where RSP is. */
export function guardDeliveryFigure(result: ExperimentResult): Figure {
  const { table, params } = result;
  const [from, to] = [Number(params.from), Number(params.to)];
  const model = table.rows.filter(({ evidence }) => evidence === 'model');
  const lowest = Math.min(...table.rows.map(({ at }) => Number(at)));
  const fits = model.filter(({ delivered }) => delivered === '#PF').map(({ rsp }) => Number(rsp));
  const limit = fits.length > 0 ? Math.min(...fits) : null;
  const data: PlotlyObject[] = [
    {
      type: 'scatter',
      mode: 'lines',
      name: 'guard page',
      line: { color: OKABE_ITO.grey, width: 1, dash: 'solid' },
      fill: 'toself',
      fillpattern: { shape: '/', fgcolor: OKABE_ITO.grey, solidity: 0.08, size: 12 },
      x: [from - 8, to + 8, to + 8, from - 8, from - 8],
      y: [0, 0, lowest - 16, lowest - 16, 0],
      meta: { reference: true },
      hoverinfo: 'name',
    },
    ...DELIVERY_MARKS.map(({ name, wanted, marker }): PlotlyObject => {
      const rows = rowsWhere(table, wanted);
      return {
        type: 'scatter',
        mode: 'markers',
        name,
        marker,
        text: rows.map(({ row }) => `${row.word ?? row.what}; delivered as ${row.delivered}`),
        hovertemplate: 'RSP %{x}, address %{y}: %{text}<extra></extra>',
        ...points(rows, 'rsp', 'at'),
      };
    }),
  ];
  const room =
    limit === null
      ? 'In this range no RSP leaves room for all six words.'
      : `From RSP ${limit} bytes above the base on all six words fit and the page fault is delivered; below that it becomes a double fault.`;
  return resultFigure(result, {
    caption: `Each column is one RSP; its squares are the words that the CPU could push, its cross the word that lay in the guard page, whose address CR2 then holds. ${room} RSP is first rounded down to 16, so columns come in pairs.`,
    alt: `Dot plot. Horizontal: RSP, ${from} to ${to} bytes from the base of the stack. Vertical: address of the pushed words, ${lowest} to ${to} bytes from the base. Crosses in a staircase 8 to 16 bytes below RSP up to RSP 8, then level at 8 bytes below the base. ${room} ${rowsWhere(table, DELIVERY_MARKS[2].wanted).length} recorded values lie on the crosses.`,
    data,
    layout: {
      height: 480,
      xaxis: axis('RSP − base (bytes)', {
        range: [from - 12, to + 12],
        zeroline: false,
        dtick: 48,
        tick0: 0,
      }),
      yaxis: axis('address − base (bytes)', {
        range: [lowest - 20, to],
        zeroline: true,
        dtick: 48,
        tick0: 0,
      }),
      legend: legendBelow(-0.2),
      margin: margins({ b: 120 }),
    },
  });
}

const DEATHS = [
  { dies: 'the task', color: OKABE_ITO.bluishGreen, symbol: 'circle' },
  { dies: 'the machine', color: OKABE_ITO.vermillion, symbol: 'x' },
  { dies: 'nobody', color: OKABE_ITO.grey, symbol: 'square' },
] as const;

/** Who dies of which touch of a guard page, by version; buttons set panic_on_oops. */
export function whoDiesFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const cases = distinct(table, 'case');
  const kernels = distinct(table, 'kernel');
  const traces = firstOnTop(
    [0, 1].flatMap((setting) =>
      DEATHS.flatMap((death) =>
        (['model', 'recorded'] as const).flatMap((evidence) =>
          deathTrace(table, setting, evidence, death),
        ),
      ),
    ),
  );
  const shown = (setting: number) => traces.map((trace) => trace.legendgroup === String(setting));
  const told = cases.map((what) => {
    const killed = table.rows.filter(
      (row) => row.case === what && row.dies === 'the machine' && row.panicOnOops === 0,
    );
    const versions = [...new Set(killed.map(({ kernel }) => kernel))];
    return `${what}: ${killed.length === 0 ? 'always the task' : `the machine in ${versions.join(', ')}`}`;
  });
  const height = 400;
  return resultFigure(result, {
    caption:
      'Only what comes as a double fault takes the machine along, and only since 5.8. A touch that leaves RSP room for the page fault’s frame costs the task alone, in every version. With panic_on_oops=1 (button) every oops is the end of the machine, however it came about.',
    alt: `Dot plot. Horizontal: ${kernels.length} kernels from ${kernels[0]} to ${kernels[kernels.length - 1]}. Vertical: ${cases.length} ways to touch a page beside the stack. With panic_on_oops=0: ${told.join('; ')}. With panic_on_oops=1: always the machine.`,
    data: traces,
    layout: {
      height,
      xaxis: {
        type: 'category',
        categoryorder: 'array',
        categoryarray: kernels,
        automargin: true,
        title: { text: 'kernel (version)' },
      },
      yaxis: categoryAxis(cases.map(caseLabel)),
      legend: legendBelow(-0.45, REVERSED),
      margin: margins({ t: 104, b: 120 }),
      updatemenus: [
        buttonsAbove({
          y: 1 + 12 / height,
          pad: { t: 4, b: 4 },
          buttons: [0, 1].map((setting) => ({
            label: `panic_on_oops=${setting}`,
            method: 'update',
            args: [{ visible: shown(setting) }, {}],
          })),
        }),
      ],
    },
  });
}

const caseLabel = (text: string) => folded(text, 24);

function deathTrace(
  table: ExperimentResult['table'],
  setting: number,
  evidence: 'model' | 'recorded',
  { dies, color, symbol }: (typeof DEATHS)[number],
): PlotlyObject[] {
  const rows = rowsWhere(
    table,
    (row) => row.dies === dies && row.evidence === evidence && row.panicOnOops === setting,
  );
  if (rows.length === 0) return [];
  const real = evidence === 'recorded';
  return [
    {
      type: 'scatter',
      mode: 'markers',
      name: real ? `${dies}, in real boots` : dies,
      legendgroup: String(setting),
      visible: setting === 0,
      marker: {
        color,
        symbol: real ? `${symbol}-open` : symbol,
        size: real ? 22 : 11,
        ...(real ? { line: { width: 2, color } } : {}),
      },
      text: rows.map(
        ({ row }) =>
          `came as ${row.exception}: ${row.line}${row.boots === null ? '' : ` (${row.boots} boots)`}`,
      ),
      hovertemplate: '%{x}, %{text}<extra>%{fullData.name}</extra>',
      ...points(rows, 'kernel', 'case', caseLabel),
    },
  ];
}
