import { hex } from '../x86/addr';
import type { WalkResult } from '../x86/walk';
import { Figure } from './figure';
import { legendBelow, margins } from './parts';
import {
  columnAxes,
  columnsOf,
  columnTraces,
  inWords,
  STEP_COLUMNS,
  stepsOf,
  walkTrace,
} from './walk-parts';

/**
 * The way of one or more addresses through the page tables: one column a table, from the first (CR3) to the
 * page, a mark at the entry that each walk reads.
 *
 * @param walks of one machine; up to four
 * @throws RangeError for no walk, more than four, or tables of different depths
 */
export function walkFigure(walks: readonly WalkResult[]): Figure {
  if (walks.length === 0 || walks.length > 4) {
    throw new RangeError(`walks: expected one to four, got ${walks.length}`);
  }
  const [{ levels }] = walks;
  if (walks.some((walk) => walk.levels !== levels)) {
    throw new RangeError('walks: expected all with the same number of levels');
  }
  const columns = columnsOf(levels);
  const steps = walks.flatMap((walk, i) => stepsOf(walk, i));
  const data = [...columnTraces(columns), ...walks.map((walk, i) => walkTrace(walk, i, steps))];
  return new Figure({
    title:
      walks.length === 1
        ? `The walk of ${hex(walks[0].va)}`
        : `The walks of ${walks.length} addresses`,
    caption:
      'Each column is a table of 512 entries, the first the one that CR3 points to; a mark is the entry that the walk reads, and the line leads on to the table or page that this entry names. A cross is where a walk ends in a fault.',
    alt: `Diagram. Horizontal: ${columns.join(', ')}. Vertical: index of the entry, 0 to 511. ${walks.map(inWords).join(' ')}`,
    data,
    layout: {
      height: 480,
      ...columnAxes(columns),
      legend: legendBelow(-0.2),
      margin: margins({ b: 110 }),
    },
    table: {
      columns: STEP_COLUMNS,
      rows: steps.map(({ row }) => row),
    },
    command: `npx guardpage walk --tables DIR ${walks.map(({ va }) => `--va ${hex(va)}`).join(' ')} --explain`,
  });
}
