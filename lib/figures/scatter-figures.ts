import type { ExperimentResult } from '../experiments/experiment';
import { runsOf } from '../experiments/scattered-stacks';
import type { ResultTable } from '../experiments/table';
import type { Figure, PlotlyObject } from './figure';
import { ERA_STYLE, OKABE_ITO, SERIES } from './palette';
import {
  axis,
  categoryAxis,
  distinct,
  firstOnTop,
  legendBelow,
  margins,
  marker,
  panelTitle,
  points,
  REVERSED,
  resultFigure,
  rowsWhere,
  shareAxis,
  whiskers,
} from './parts';

/** How often the four pages of a stack lie together. */
export function stackScatterFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const memories = distinct(table, 'memory');
  const traces = (['model', 'recorded'] as const).map((evidence): PlotlyObject => {
    const open = evidence === 'recorded';
    const style = open ? { ...SERIES[1], symbol: 'diamond' } : ERA_STYLE['16k'];
    const rows = rowsWhere(table, (row) => row.evidence === evidence);
    return {
      type: 'scatter',
      mode: 'markers',
      orientation: 'h',
      name: evidence,
      offsetgroup: evidence,
      marker: marker(style, open, 11),
      error_x: { ...whiskers(rows), color: style.color },
      text: rows.map(({ row }) => `${row.contiguous} of ${row.stacks}`),
      hovertemplate: '%{x:.1%} (%{text})<extra>%{fullData.name}</extra>',
      ...points(rows, 'share', 'memory'),
    };
  });
  const told = memories.map((memory) => {
    const of = (evidence: string) =>
      table.rows.find((row) => row.memory === memory && row.evidence === evidence);
    const percent = (row: ReturnType<typeof of>) => `${Math.round(100 * Number(row?.share))} %`;
    return `${memory}: ${percent(of('model'))} and ${percent(of('recorded'))}`;
  });
  return resultFigure(result, {
    caption:
      'Single pages may come from anywhere, but in fresh memory the next four single pages often lie together anyway. With user pages between it depends on what came before; with kernel pages between no stack is contiguous. Scattered is what is allowed, not what is usual.',
    alt: `Dot plot with intervals. Vertical: ${memories.length} states of memory. Horizontal: share of stacks whose four pages are contiguous, 0 to 100 %. Model and recorded: ${told.join('; ')}.`,
    data: firstOnTop(traces),
    layout: {
      scattermode: 'group',
      scattergap: 0.5,
      height: 420,
      xaxis: shareAxis('stacks with contiguous pages (%)'),
      yaxis: categoryAxis(memories),
      legend: legendBelow(-0.2, REVERSED),
      margin: margins({ b: 100 }),
    },
  });
}

const PAGES = [
  { color: OKABE_ITO.vermillion, symbol: 'circle' },
  { color: OKABE_ITO.blue, symbol: 'square' },
  { color: OKABE_ITO.bluishGreen, symbol: 'diamond' },
  { color: OKABE_ITO.orange, symbol: 'triangle-up' },
] as const;

/** The page frames behind each stack: a dot where they lie together, a line where they don't. */
export function stackFramesFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const panels = distinct(table, 'memory').flatMap((memory, row) =>
    (['model', 'recorded'] as const).map((evidence, column) => ({
      memory,
      evidence,
      n: 2 * row + column + 1,
    })),
  );
  const data: PlotlyObject[] = [];
  const layout: Record<string, PlotlyObject> = {};
  const annotations: PlotlyObject[] = [];
  for (const { memory, evidence, n } of panels) {
    const [left, low] = [(n - 1) % 2 === 0 ? 0 : 0.56, n <= 2 ? 0.58 : 0];
    const suffix = n === 1 ? '' : String(n);
    layout[`xaxis${suffix}`] = axis(n > 2 ? 'stack (number)' : '', {
      domain: [left, left + 0.44],
      anchor: `y${suffix}`,
    });
    layout[`yaxis${suffix}`] = axis(left === 0 ? 'physical address (MiB)' : '', {
      domain: [low, low + 0.36],
      anchor: `x${suffix}`,
    });
    annotations.push(panelTitle(`${memory}: ${evidence}`, left, low + 0.365));
    const here = rowsWhere(table, (row) => row.memory === memory && row.evidence === evidence);
    const axes = { xaxis: `x${suffix}`, yaxis: `y${suffix}` };
    data.push({
      type: 'scatter',
      mode: 'lines',
      name: 'pages of one stack',
      showlegend: n === 1,
      legendgroup: 'stack',
      ...axes,
      line: { color: OKABE_ITO.grey, width: 1, dash: 'solid' },
      hoverinfo: 'skip',
      ...withGaps(points(here, 'stack', 'mib')),
    });
    PAGES.forEach(({ color, symbol }, page) => {
      const rows = here.filter(({ row }) => row.page === page);
      data.push({
        type: 'scatter',
        mode: 'markers',
        name: `page ${page}${page === 0 ? ' (lowest)' : ''}`,
        showlegend: n === 1,
        legendgroup: `page ${page}`,
        ...axes,
        marker: {
          color,
          symbol: evidence === 'recorded' ? `${symbol}-open` : symbol,
          size: 6,
          ...(evidence === 'recorded' ? { line: { width: 1.5 } } : {}),
        },
        text: rows.map(({ row }) => `frame ${row.pfn}`),
        hovertemplate: 'stack %{x}, page ' + page + ': %{text}<extra></extra>',
        ...points(rows, 'stack', 'mib'),
      });
    });
  }
  return resultFigure(result, {
    caption:
      'Four marks for each stack, one a page, at their physical addresses. Where they lie on top of each other the stack is contiguous, or nearly; a long line is a stack whose pages are far apart. The address range of each panel is its own.',
    alt:
      `Four scatter plots: fresh and fragmented memory from top to bottom, model left, recorded right. Horizontal: number of the stack, 1 to ${result.params.stacks}. Vertical: physical address in MiB. ` +
      `Stacks whose pages lie together: ${panels.map(({ memory, evidence }) => `${together(table, memory, evidence)} (${memory}, ${evidence})`).join(', ')}.`,
    data,
    layout: {
      ...layout,
      annotations,
      height: 640,
      legend: legendBelow(-0.12),
      margin: margins({ b: 100 }),
    },
  });
}

/** How many stacks of a panel have their four frames in a row. */
function together({ rows }: ResultTable, memory: string, evidence: string): number {
  const frames = rows
    .filter((row) => row.memory === memory && row.evidence === evidence)
    .map(({ pfn }) => Number(pfn));
  let count = 0;
  for (let i = 0; i < frames.length; i += 4) {
    if (runsOf(frames.slice(i, i + 4)) === 1) count++;
  }
  return count;
}

/** A gap after every fourth point, so that the line of one stack does not run on to the next. */
function withGaps({ x, y, customdata }: ReturnType<typeof points>): {
  x: unknown[];
  y: unknown[];
  customdata: (number | null)[];
} {
  const gaps = <T>(values: readonly T[]) =>
    values.flatMap((value, i) => (i % 4 === 3 ? [value, null] : [value]));
  return { x: gaps(x), y: gaps(y), customdata: gaps(customdata) };
}
