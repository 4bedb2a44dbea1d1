import type { ExperimentResult } from '../experiments/experiment';
import type { Figure, PlotlyObject } from './figure';
import { OKABE_ITO } from './palette';
import {
  categoryAxis,
  distinct,
  firstOnTop,
  legendBelow,
  margins,
  points,
  REVERSED,
  resultFigure,
  rowsWhere,
} from './parts';

const STATES = [
  {
    have: 'selected',
    name: 'selected: VMAP_STACK can be set',
    marker: { color: OKABE_ITO.bluishGreen, symbol: 'square', size: 14 },
  },
  {
    have: 'not selected',
    name: 'not selected: no vmalloc’ed stacks',
    marker: {
      color: OKABE_ITO.grey,
      symbol: 'x-thin-open',
      size: 8,
      line: { width: 1.5, color: OKABE_ITO.grey },
    },
  },
] as const;

/** Architectures against versions: a square where the architecture selects the option. */
export function architecturesFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const arches = distinct(table, 'arch');
  const versions = distinct(table, 'version');
  const data = STATES.map(({ have, name, marker }): PlotlyObject => {
    const rows = rowsWhere(table, (row) => row.have === have);
    return {
      type: 'scatter',
      mode: 'markers',
      name,
      marker,
      hovertemplate: `%{y}, %{x}: ${have}<extra></extra>`,
      ...points(rows, 'version', 'arch'),
    };
  });
  const first = arches.map((arch) => {
    const row = table.rows.find((one) => one.arch === arch && one.have === 'selected');
    return `${arch} ${row ? `from ${row.version}` : 'never'}`;
  });
  const having = arches.filter((arch) =>
    table.rows.some((row) => row.arch === arch && row.have === 'selected'),
  ).length;
  return resultFigure(result, {
    caption: `A square where the architecture’s Kconfig selects HAVE_ARCH_VMAP_STACK, so that VMAP_STACK can be chosen at all. ${having} of ${arches.length} do by ${versions[versions.length - 1]}; the others cannot have them.`,
    alt: `Dot plot. Horizontal: ${versions.length} kernels from ${versions[0]} to ${versions[versions.length - 1]}. Vertical: ${arches.length} architectures. Selected: ${first.join(', ')}.`,
    data: firstOnTop(data),
    layout: {
      height: 460,
      xaxis: {
        type: 'category',
        categoryorder: 'array',
        categoryarray: versions,
        automargin: true,
        title: { text: 'kernel (version)' },
      },
      yaxis: categoryAxis(arches),
      legend: legendBelow(-0.22, REVERSED),
      margin: margins({ b: 100 }),
    },
  });
}
