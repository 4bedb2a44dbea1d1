import type { BuddyinfoReading } from '../experiments/own-machine/read-buddyinfo';
import type { MachineReading } from '../experiments/own-machine/read-machine-text';
import type { StackTraceReading } from '../experiments/own-machine/read-stack-trace';
import { gapsBelow, type VmallocinfoReading } from '../experiments/own-machine/read-vmallocinfo';
import { ERAS } from '../stack/config';
import { replay } from '../stack/replay';
import { depthFigure } from './depth-figure';
import { Figure } from './figure';
import { oopsFigure } from './oops-figure';
import { OKABE_ITO, SERIES } from './palette';
import { axis, categoryAxis, legendBelow, margins } from './parts';

/** The figure of what was read from a text of one's own machine. */
export function machineFigure(reading: MachineReading): Figure {
  switch (reading.kind) {
    case 'stack_trace':
      return stackTraceFigure(reading);
    case 'oops':
      return oopsFigure(reading);
    case 'vmallocinfo':
      return vmallocinfoFigure(reading);
    case 'buddyinfo':
      return buddyinfoFigure(reading);
  }
}

/** The chain replayed on the stacks of the three eras. */
function stackTraceFigure({ trace, command }: StackTraceReading): Figure {
  const figure = depthFigure(ERAS.map((era) => replay(trace, { era })));
  return new Figure({ ...figure, command });
}

const KB = 1024;
/** Gaps from here on are one bar. */
const LARGE_GAP = 32 * KB;

/** How much room without memory lies below each stack; without addresses, whose memory it is. */
function vmallocinfoFigure(reading: VmallocinfoReading): Figure {
  const { stacks, hidden, stackBytes, otherBytes, command } = reading;
  const gaps = [...gapsBelow(stacks)];
  if (hidden || gaps.length === 0) return areaFigure(stackBytes, otherBytes, command);
  const bars = new Map<string, number>();
  for (const [gap, n] of gaps) {
    const label = gap > LARGE_GAP ? 'more than 32 KB' : `${gap / KB} KB`;
    bars.set(label, (bars.get(label) ?? 0) + n);
  }
  const labels = [...bars.keys()];
  const counts = [...bars.values()];
  const most = counts.indexOf(Math.max(...counts));
  return new Figure({
    title: 'Unmapped memory below each stack',
    caption: `Stacks by how far it is from their base down to the next mapped page. 4 KB is the guard page alone; with the alignment hole empty it is 16 KB. Of ${stacks.length} stacks most (${counts[most]}) have ${labels[most]}.`,
    alt: `Bar chart. Vertical: bytes without memory below a stack, ${labels[0]} to ${labels[labels.length - 1]}. Horizontal: number of stacks: ${labels.map((label, i) => `${label} ${counts[i]}`).join(', ')}.`,
    data: [
      {
        type: 'bar',
        orientation: 'h',
        name: 'stacks',
        marker: { color: OKABE_ITO.bluishGreen, pattern: { shape: '' } },
        x: counts,
        y: labels,
        text: counts.map(String),
        textposition: 'outside',
        cliponaxis: false,
        customdata: labels.map((_, i) => i),
        hovertemplate: '%{y}: %{x} stacks<extra></extra>',
      },
    ],
    layout: {
      height: 180 + 32 * labels.length,
      xaxis: axis('stacks (number)', { rangemode: 'tozero' }),
      yaxis: categoryAxis(labels),
      margin: margins({ r: 60 }),
    },
    table: {
      columns: ['unmapped below', 'stacks'],
      rows: labels.map((label, i) => [label, counts[i]]),
    },
    command,
  });
}

function areaFigure(stackBytes: number, otherBytes: number, command: string): Figure {
  const rows: [string, number][] = [
    ['kernel stacks', stackBytes / KB],
    ['all other areas', otherBytes / KB],
  ];
  return new Figure({
    title: 'Memory in the vmalloc area',
    caption: `Memory behind the areas of the listing: ${rows.map(([what, kb]) => `${what} ${kb} kB`).join(', ')}. Where they lie can’t be drawn without addresses.`,
    alt: `Bar chart. Vertical: kernel stacks and all other areas. Horizontal: memory, 0 to ${Math.max(...rows.map(([, kb]) => kb))} kB.`,
    data: [
      {
        type: 'bar',
        orientation: 'h',
        name: 'memory',
        marker: { color: OKABE_ITO.bluishGreen, pattern: { shape: '' } },
        x: rows.map(([, kb]) => kb),
        y: rows.map(([what]) => what),
        customdata: rows.map((_, i) => i),
        hovertemplate: '%{y}: %{x} kB<extra></extra>',
      },
    ],
    layout: {
      height: 240,
      xaxis: axis('memory (kB)', { rangemode: 'tozero' }),
      yaxis: categoryAxis(rows.map(([what]) => what)),
      margin: margins(),
    },
    table: { columns: ['what', 'memory (kB)'], rows },
    command,
  });
}

/** Which part of the free memory is of no use to a request, by its order. */
function buddyinfoFigure({ zones, command }: BuddyinfoReading): Figure {
  const rows: (string | number)[][] = [];
  const shown = zones.slice(0, SERIES.length);
  const names = shown.map(({ node, zone }) => (zones.length > 1 ? `node ${node}, ${zone}` : zone));
  const data = shown.map(({ orders }, nth) => {
    const { color, dash, symbol } = SERIES[nth];
    const first = rows.length;
    for (const { order, unusable, available } of orders) {
      rows.push([names[nth], order, unusable, available]);
    }
    return {
      type: 'scatter',
      mode: 'lines+markers',
      name: names[nth],
      line: { color, dash, width: 2 },
      marker: { color, symbol, size: 8 },
      text: orders.map(({ available }) => `${available} blocks`),
      hovertemplate: 'order %{x}: %{y:.1%} of no use, %{text}<extra>%{fullData.name}</extra>',
      x: orders.map(({ order }) => order),
      y: orders.map(({ unusable }) => unusable),
      customdata: orders.map((_, i) => first + i),
    };
  });
  const largest = Math.max(...shown.map(({ counts }) => counts.length - 1));
  const told = shown.map(
    ({ orders }, i) => `${names[i]} ${((orders[2]?.unusable ?? 1) * 100).toFixed(1)} %`,
  );
  return new Figure({
    title: 'Free memory that a larger block can’t use',
    caption: `For each order, the part of a zone’s free memory that lies in smaller blocks. Order 1 is an 8 KB stack, order 2 a 16 KB stack, in one piece: ${told.join('; ')} of no use to it. A vmalloc’ed stack takes order 0, which can use all.`,
    alt: `Line chart. Horizontal: order of the request, 0 to ${largest}. Vertical: part of the free memory of no use to it, 0 to 100 %, rising with the order. At order 2: ${told.join('; ')}.`,
    data,
    layout: {
      height: 420,
      xaxis: axis('order (log₂ of pages)', {
        dtick: 1,
        range: [-0.3, largest + 0.3],
        zeroline: false,
      }),
      yaxis: axis('free memory of no use (%)', {
        tickformat: '.0%',
        range: [-0.03, 1.03],
        zeroline: false,
      }),
      legend: legendBelow(-0.2),
      margin: margins({ b: 110 }),
    },
    table: {
      columns: ['zone', 'order', 'of no use (part)', 'blocks'],
      rows,
    },
    command,
  });
}
