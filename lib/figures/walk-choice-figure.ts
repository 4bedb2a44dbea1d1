import { hex } from '../x86/addr';
import type { WalkResult } from '../x86/walk';
import { Figure, type PlotlyObject } from './figure';
import { margins, panelTitle } from './parts';
import {
  columnAxes,
  columnsOf,
  columnTraces,
  FAULT_TEXT,
  inWords,
  STEP_COLUMNS,
  stepsOf,
  walkTrace,
  type Step,
} from './walk-parts';

const SIZE_TEXT: Readonly<Record<number, string>> = {
  4096: '4 KiB',
  0x200000: '2 MiB',
  0x40000000: '1 GiB',
};

/** An address to be chosen with the slider. */
export interface WalkChoice {
  /** A word or two: what lies there. */
  readonly label: string;
  readonly walk: WalkResult;
}

/**
 * The way of one address at a time through the page tables; a slider chooses which.
 *
 * @param choices of one machine; two to eight
 * @throws RangeError for another number of them, or tables of different depths
 */
export function walkChoiceFigure(choices: readonly WalkChoice[]): Figure {
  if (choices.length < 2 || choices.length > 8) {
    throw new RangeError(`choices: expected two to eight, got ${choices.length}`);
  }
  const { levels } = choices[0].walk;
  if (choices.some(({ walk }) => walk.levels !== levels)) {
    throw new RangeError('choices: expected all with the same number of levels');
  }
  const columns = columnsOf(levels);
  const frame = columnTraces(columns);
  const steps = choices.map(({ walk }) => stepsOf(walk, 0));
  const data = [...frame, ...choices.map((choice, i) => trace(choice, i, steps))];
  const walks = choices.map(({ walk }) => walk);
  return new Figure({
    title: `${choices.length} addresses, one walk at a time`,
    caption:
      'Move the slider to choose an address. Each column is a table of 512 entries; a mark is the entry that the walk reads. A walk that ends before the last table has found a large page; a cross is where it finds nothing.',
    alt: `Diagram with a slider. Horizontal: ${columns.join(', ')}. Vertical: index of the entry, 0 to 511. ${choices.map(({ label, walk }) => `${label}: ${inWords(walk)}`).join(' ')}`,
    data,
    layout: {
      height: 520,
      ...columnAxes(columns),
      showlegend: false,
      annotations: [panelTitle(resultText(choices[0]), 0, 1.01)],
      sliders: [slider(choices, frame.length)],
      margin: margins({ t: 80, b: 150 }),
    },
    table: {
      columns: STEP_COLUMNS,
      rows: steps.flat().map(({ row }) => row),
    },
    command: `npx guardpage walk --tables DIR ${walks.map(({ va }) => `--va ${hex(va)}`).join(' ')} --explain`,
  });
}

/** The trace of one choice; only the first is seen at first. */
function trace({ label, walk }: WalkChoice, nth: number, steps: readonly Step[][]): PlotlyObject {
  const before = steps.slice(0, nth).reduce((rows, { length }) => rows + length, 0);
  return {
    ...walkTrace(walk, 0, steps[nth]),
    name: label,
    visible: nth === 0,
    customdata: steps[nth].map((_, i) => before + i),
  };
}

/** Above the plot: the address, and what it is translated to. */
function resultText({ label, walk }: WalkChoice): string {
  const { va, pa, fault, pageSize } = walk;
  const end =
    pa === null
      ? (FAULT_TEXT[fault ?? ''] ?? fault)
      : `${hex(pa, 1)} in a ${SIZE_TEXT[pageSize] ?? pageSize} page`;
  return `${label}: ${hex(va)} → ${end}`;
}

function slider(choices: readonly WalkChoice[], columns: number): PlotlyObject {
  return {
    active: 0,
    x: 0.03,
    len: 0.9,
    pad: { t: 70, b: 0 },
    currentvalue: { visible: false },
    steps: choices.map((choice, chosen) => ({
      label: choice.label,
      method: 'update',
      args: [
        {
          visible: [...Array<boolean>(columns).fill(true), ...choices.map((_, i) => i === chosen)],
        },
        { 'annotations[0].text': resultText(choice) },
      ],
    })),
  };
}
