import type { ExperimentResult } from '../experiments/experiment';
import type { Row } from '../experiments/table';
import type { Figure, PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import {
  axis,
  categoryAxis,
  distinct,
  firstOnTop,
  legendBelow,
  margins,
  points,
  resultFigure,
  rowsWhere,
} from './parts';

const NOTICED = [
  {
    name: 'stack protector, machine panics',
    wanted: ({ by }: Row) => by === 'stack-protector',
    marker: { color: OKABE_ITO.bluishGreen, symbol: 'square', size: 12 },
  },
  {
    name: 'used as an address: fault',
    wanted: ({ by, noticed }: Row) => noticed !== 'never' && by !== 'stack-protector',
    marker: { color: OKABE_ITO.orange, symbol: 'triangle-up', size: 11 },
  },
  {
    name: 'never noticed',
    wanted: ({ noticed }: Row) => noticed === 'never',
    marker: {
      color: OKABE_ITO.vermillion,
      symbol: 'x-thin-open',
      size: 9,
      line: { width: 2, color: OKABE_ITO.vermillion },
    },
  },
] as const;

const PROTECTOR: Readonly<Record<string, string>> = {
  n: 'STACKPROTECTOR=n',
  y: 'STACKPROTECTOR=y',
};

/** Which words of a sleeping thread’s stack are missed when they are overwritten. */
export function strayWordFigure(result: ExperimentResult): Figure {
  const { table, params } = result;
  const words = Number(params.words);
  const data = NOTICED.map(({ name, wanted, marker }): PlotlyObject => {
    const rows = rowsWhere(table, wanted);
    return {
      type: 'scatter',
      mode: 'markers',
      name,
      marker,
      text: rows.map(({ row }) => `${row.what}<br>${row.noticed}, by ${row.by}`),
      hovertemplate: '%{x} bytes from the top: %{text}<extra></extra>',
      ...points(rows, 'at', 'protector'),
    };
  });
  const told = ['n', 'y'].map((protector) => {
    const here = table.rows.filter((row) => row.protector === protector);
    const counts = NOTICED.map(
      ({ name, wanted }) => `${here.filter(wanted).length} ${name.replace(', machine panics', '')}`,
    );
    return `${PROTECTOR[protector]}: ${counts.join(', ')}`;
  });
  const what = words === 1 ? 'one word' : `${words} words in a row`;
  return resultFigure(result, {
    caption: `Each mark is one trial: ${what} of a sleeping thread’s frames overwritten, its place counted from the top of the stack. Of ${table.rows.length} trials ${table.rows.filter(({ noticed }) => noticed === 'never').length} were never noticed. No guard page has any part in this: every store lies inside the stack.`,
    alt: `Dot plot. Horizontal: lowest word overwritten, ${Math.min(...table.rows.map(({ at }) => Number(at)))} to ${Math.max(...table.rows.map(({ at }) => Number(at)))} bytes from the top of the stack. Vertical: without and with the stack protector. ${told.join('. ')}.`,
    data,
    layout: {
      height: 320,
      xaxis: axis('lowest word overwritten, from the top (bytes)', {
        autorange: 'reversed',
        zeroline: false,
      }),
      yaxis: categoryAxis(Object.keys(PROTECTOR), { title: { text: 'STACKPROTECTOR (y/n)' } }),
      legend: legendBelow(-0.4),
      margin: margins({ b: 130 }),
    },
  });
}

const BELOW = [
  {
    below: 'nothing: a guard page',
    marker: { color: OKABE_ITO.bluishGreen, symbol: 'square', size: 13 },
  },
  {
    below: 'another exception stack',
    marker: { color: OKABE_ITO.orange, symbol: 'triangle-up', size: 12 },
  },
  {
    below: 'memory of somebody else',
    marker: { color: OKABE_ITO.vermillion, symbol: 'x', size: 11 },
  },
] as const;

/** What a push below each kind of stack would meet, by version. */
export function otherStacksFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const kernels = distinct(table, 'kernel');
  const stacks = distinct(table, 'stack');
  const data = BELOW.map(({ below, marker }): PlotlyObject => {
    const rows = rowsWhere(table, (row) => row.below === below);
    return {
      type: 'scatter',
      mode: 'markers',
      name: below,
      marker,
      text: rows.map(({ row }) =>
        row.noticed === null
          ? ''
          : `<br>overflow noticed ${row.noticed}, ${row.changed} bytes changed: ${row.line}`,
      ),
      hovertemplate: `%{x}, %{y}: ${below}%{text}<extra></extra>`,
      ...points(rows, 'kernel', 'stack'),
    };
  });
  const guarded = stacks.map((stack) => {
    const first = table.rows.find((row) => row.stack === stack && row.below === BELOW[0].below);
    return `${stack} ${first ? `from ${first.kernel}` : 'never'}`;
  });
  const silent = table.rows.filter(({ noticed }) => noticed === 'never').length;
  const tried = table.rows.filter(({ noticed }) => noticed !== null).length;
  return resultFigure(result, {
    caption: `What the first push below each stack meets. With VMAP_STACK the stacks of tasks have a guard page from the start, those of interrupts since 5.2, those of exceptions since 5.2 or 5.3. The overflow of the IRQ stack was tried on ${tried} kernels; on ${silent} of them nobody noticed.`,
    alt: `Dot plot. Horizontal: ${kernels.length} kernels from ${kernels[0]} to ${kernels[kernels.length - 1]}. Vertical: ${stacks.length} kinds of stack. A guard page below: ${guarded.join(', ')}.`,
    data: firstOnTop(data),
    layout: {
      height: 400,
      xaxis: {
        type: 'category',
        categoryorder: 'array',
        categoryarray: kernels,
        automargin: true,
        title: { text: 'kernel (version)' },
      },
      yaxis: categoryAxis(stacks, { title: { text: 'stack (kind)' } }),
      legend: legendBelow(-0.27),
      margin: margins({ b: 110 }),
    },
  });
}
