import type { ExperimentResult } from '../experiments/experiment';
import type { Row } from '../experiments/table';
import type { Figure, PlotlyObject } from './figure';
import { ERA_NAME, ERA_STYLE, OKABE_ITO, type Style } from './palette';
import {
  buttonsAbove,
  categoryAxis,
  distinct,
  firstOnTop,
  folded,
  legendBelow,
  margins,
  marker,
  points,
  resultFigure,
  REVERSED,
  rowsWhere,
  shareAxis,
  whiskers,
} from './parts';

const OUTCOMES = [
  { outcome: 'silent', button: 'never noticed', axis: 'overruns that nothing noticed' },
  { outcome: 'delayed', button: 'noticed later', axis: 'overruns noticed later' },
  { outcome: 'immediate', button: 'stopped at once', axis: 'overruns stopped at once' },
] as const;

interface Series {
  readonly name: string;
  readonly style: Style;
  readonly open: boolean;
  readonly wanted: (row: Row) => boolean;
}

/** Shares with their intervals, one row a category; buttons choose the outcome. */
function shareDots(
  result: ExperimentResult,
  category: string,
  series: readonly Series[],
): { data: PlotlyObject[]; layout: PlotlyObject } {
  const { table } = result;
  const categories = distinct(table, category);
  const data = OUTCOMES.flatMap(({ outcome }, nth) =>
    firstOnTop(
      series.map(({ name, style, open, wanted }): PlotlyObject => {
        const rows = rowsWhere(table, (row) => row.outcome === outcome && wanted(row));
        return {
          type: 'scatter',
          mode: 'markers',
          orientation: 'h',
          name,
          offsetgroup: name,
          legendgroup: name,
          visible: nth === 0,
          marker: marker(style, open),
          error_x: { ...whiskers(rows), color: style.color },
          text: rows.map(({ row }) => `${row.count} of ${row.n}`),
          hovertemplate: '%{x:.1%} (%{text})<extra>%{fullData.name}</extra>',
          ...points(rows, 'share', category, (text) => folded(text)),
        };
      }),
    ),
  );
  const buttons = OUTCOMES.map(({ button, axis }, nth) => ({
    method: 'update',
    label: button,
    args: [
      { visible: data.map((_, i) => Math.floor(i / series.length) === nth) },
      { 'xaxis.title.text': `${axis} (%)` },
    ],
  }));
  const height = 190 + categories.length * Math.max(40, 13 * series.length);
  return {
    data,
    layout: {
      scattermode: 'group',
      scattergap: 0.25,
      height,
      xaxis: shareAxis(`${OUTCOMES[0].axis} (%)`),
      yaxis: categoryAxis(categories.map((text) => folded(text))),
      legend: legendBelow(-80 / height, REVERSED),
      margin: margins({ t: 104, b: 110 }),
      updatemenus: [
        buttonsAbove({
          y: 1 + 12 / height,
          pad: { t: 4, b: 4 },
          buttons,
        }),
      ],
    },
  };
}

/** How many recorded intervals hold the simulated share of the same kind. */
function agreementText({ table }: ExperimentResult, ...keys: readonly string[]): string {
  const recorded = table.rows.filter(({ evidence }) => evidence === 'recorded');
  const same = (a: Row, b: Row) => ['outcome', ...keys].every((key) => a[key] === b[key]);
  const holding = recorded.filter((real) => {
    const model = table.rows.find((row) => row.evidence === 'model' && same(row, real));
    return (
      model && Number(real.low) <= Number(model.share) && Number(model.share) <= Number(real.high)
    );
  });
  return `Of ${recorded.length} recorded intervals ${holding.length} hold the simulated share.`;
}

/** Outcome by era and kind of overrun, model and recordings. */
export function outcomeByEraFigure(result: ExperimentResult): Figure {
  const eras = ['8k', '16k', 'vmap'] as const;
  const series = (['model', 'recorded'] as const).flatMap((evidence) =>
    eras.map((era) => ({
      name: `${ERA_NAME[era]}, ${evidence}`,
      style: ERA_STYLE[era],
      open: evidence === 'recorded',
      wanted: (row: Row) => row.evidence === evidence && row.era === era,
    })),
  );
  const silent = (era: string) => {
    const rows = result.table.rows.filter(
      (row) => row.evidence === 'model' && row.era === era && row.outcome === 'silent',
    );
    const [few, all] = [rows.map(({ count }) => Number(count)), rows.map(({ n }) => Number(n))];
    const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
    return Math.round((100 * sum(few)) / sum(all));
  };
  return resultFigure(result, {
    caption:
      'Each mark is the share of one kind of overrun in one era, with its 95 % interval; filled marks are simulated, open ones recorded on real kernels. ' +
      'In the direct map most overruns that come back are noticed late or never; with a guard page every one is stopped at once, but for the frame that lands beyond it. The buttons choose the outcome.',
    alt:
      `Dot plot with intervals. Vertical: ${distinct(result.table, 'kind').length} kinds of overrun. Horizontal: share of trials, 0 to 100 %, first of those never noticed. ` +
      `Never noticed in the model, all kinds together: ${silent('8k')} % with 8 KB stacks, ${silent('16k')} % with 16 KB in the direct map, ${silent('vmap')} % with vmalloc’ed ones. ${agreementText(result, 'kind', 'era')}`,
    ...shareDots(result, 'kind', series),
  });
}

const MODEL: Style = ERA_STYLE['16k'];
const RECORDED: Style = { ...ERA_STYLE['8k'], color: OKABE_ITO.vermillion, symbol: 'diamond' };

/** Outcome by the class of the page below the stack. */
export function victimFigure(result: ExperimentResult): Figure {
  const series = [
    {
      name: 'model',
      style: MODEL,
      open: false,
      wanted: (row: Row) => row.evidence === 'model',
    },
    {
      name: 'recorded',
      style: RECORDED,
      open: true,
      wanted: (row: Row) => row.evidence === 'recorded',
    },
  ];
  const silent = (neighbour: string) => {
    const row = result.table.rows.find(
      ({ evidence, outcome, neighbour: below }) =>
        evidence === 'model' && outcome === 'silent' && below === neighbour,
    );
    return row ? `${neighbour} ${Math.round(Number(row.share) * 100)} %` : `${neighbour} not tried`;
  };
  return resultFigure(result, {
    caption:
      'Whose page lies below decides: damage to a free page or to idle kernel data is hardly ever noticed, damage to a program’s page or a page table mostly is, once somebody reads it; another stack and slab objects lie between. ' +
      'Filled marks are simulated, open ones recorded; whiskers are 95 % intervals, wide where few runs were recorded.',
    alt:
      `Dot plot with intervals. Vertical: class of the page below the stack. Horizontal: share of overruns, 0 to 100 %, first of those never noticed. Never noticed in the model: ` +
      `${distinct(result.table, 'neighbour').map(silent).join(', ')}. ${agreementText(result, 'neighbour')}`,
    ...shareDots(result, 'neighbour', series),
  });
}
