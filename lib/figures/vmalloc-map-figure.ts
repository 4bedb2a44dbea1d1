import type { ExperimentResult } from '../experiments/experiment';
import type { Figure, PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import {
  axis,
  categoryAxis,
  distinct,
  folded,
  legendBelow,
  margins,
  points,
  resultFigure,
  rowsWhere,
} from './parts';

/** What, colour, hatching. */
const KINDS: readonly (readonly [what: string, color: string, shape: string])[] = [
  ['stack', OKABE_ITO.vermillion, '/'],
  ['guard page', OKABE_ITO.blue, 'x'],
  ['other area', OKABE_ITO.skyBlue, '.'],
  ['hole', OKABE_ITO.grey, ''],
];
const HOLE_OPACITY = 0.3;

/** Addresses around vmalloc'ed stacks: one bar for each listing of areas, lowest address left. */
export function vmallocMapFigure(result: ExperimentResult): Figure {
  const { table, params } = result;
  const cases = distinct(table, 'case');
  const data = KINDS.map(([what, color, shape]): PlotlyObject => {
    const rows = rowsWhere(table, (row) => row.what === what);
    return {
      type: 'bar',
      orientation: 'h',
      name: what,
      width: 0.55,
      opacity: what === 'hole' ? HOLE_OPACITY : 1,
      marker: {
        color,
        pattern: { shape, fillmode: 'overlay', size: 8, solidity: 0.12 },
        line: { color: OKABE_ITO.grey, width: 1 },
      },
      base: rows.map(({ row }) => row.from),
      hovertext: rows.map(
        ({ row }) =>
          `${row.address}: ${what}, ${row.kib} KiB${row.caller === null ? '' : `<br>${row.caller}`}`,
      ),
      hovertemplate: '%{hovertext}<extra></extra>',
      ...points(rows, 'kib', 'case', (text) => folded(text, 18)),
    };
  });
  const told = cases.map((one) => {
    const below = belowStacks(result, one);
    return `${one}: ${below.join(', ')} KiB`;
  });
  return resultFigure(result, {
    caption:
      'Addresses to the right. Behind each area lies its guard page, which nothing is mapped to; a stack begins at a multiple of 16 KiB, which leaves a hole that smaller areas may fill. What is unmapped below a stack is the guard page of the area before and whatever hole is left.',
    alt: `Bar chart. Vertical: ${cases.length} listings of areas. Horizontal: addresses from the first stack, 0 to ${params.kib} KiB. Unmapped addresses below each stack but the first, ${told.join('; ')}.`,
    data,
    layout: {
      barmode: 'overlay',
      height: 380,
      xaxis: axis('address, from the first stack (KiB)', {
        range: [0, params.kib],
        dtick: Number(params.kib) <= 256 ? 16 : 64,
        zeroline: false,
        showgrid: false,
      }),
      yaxis: categoryAxis(cases.map((one) => folded(one, 18))),
      legend: legendBelow(-0.22),
      margin: margins({ b: 100 }),
    },
  });
}

/** Unmapped KiB below each stack of one listing but the first. */
function belowStacks({ table }: ExperimentResult, one: string): number[] {
  const rows = table.rows.filter((row) => row.case === one);
  return rows.flatMap(({ what }, i) => {
    if (what !== 'stack' || i === 0) return [];
    let unmapped = 0;
    for (let j = i - 1; rows[j].what === 'hole' || rows[j].what === 'guard page'; j--) {
      unmapped += Number(rows[j].kib);
    }
    return [unmapped];
  });
}
