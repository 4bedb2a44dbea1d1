import { Random } from '../random';
import { checkedValues, type Parameters, type ParameterValues, type ValuesOf } from './parameters';
import { tableText, type ResultTable } from './table';

/** A seeded function from parameters to a table: nothing drawn, nothing printed. */
export interface Experiment {
  /** What `npx guardpage experiment` calls it. */
  readonly name: string;
  readonly title: string;
  /** One sentence. */
  readonly question: string;
  readonly parameters: Parameters;
  /** What the model leaves out, and where recorded rows come from. */
  readonly notes: readonly string[];
  /**
   * Runs it. Same parameters and seed, same table.
   *
   * @throws RangeError for a parameter that does not exist or is out of range, and for a bad seed
   */
  run(params?: ParameterValues, seed?: number): ExperimentResult;
}

/** What an experiment found, with all it takes to find it again. */
export class ExperimentResult {
  constructor(
    readonly experiment: string,
    readonly title: string,
    readonly question: string,
    readonly notes: readonly string[],
    /** All parameters, defaults included. */
    readonly params: ParameterValues,
    readonly seed: number,
    readonly table: ResultTable,
    /** The command that gives this result. */
    readonly command: string,
  ) {}

  toString(): string {
    const set = Object.entries(this.params).map(([name, value]) => `${name} ${value}`);
    return [
      `${this.title}: ${this.question}`,
      `(${[...set, `seed ${this.seed}`].join(', ')})`,
      '',
      tableText(this.table),
      '',
      ...this.notes,
    ].join('\n');
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

interface Definition<P extends Parameters> {
  readonly name: string;
  readonly title: string;
  readonly question: string;
  readonly parameters: P;
  readonly notes: readonly string[];
  readonly table: (values: ValuesOf<P>, seed: number) => ResultTable;
}

/** An experiment from its parts; parameters and seed are checked before `table` sees them. */
export function defineExperiment<P extends Parameters>(definition: Definition<P>): Experiment {
  const { name, title, question, parameters, notes } = definition;
  return {
    name,
    title,
    question,
    parameters,
    notes,
    run(params: ParameterValues = {}, seed = 1): ExperimentResult {
      const values = checkedValues(parameters, params);
      new Random(seed);
      const table = definition.table(values, seed);
      const command = commandFor(name, parameters, values as ParameterValues, seed);
      return new ExperimentResult(
        name,
        title,
        question,
        notes,
        values as ParameterValues,
        seed,
        table,
        command,
      );
    },
  };
}

function commandFor(
  name: string,
  parameters: Parameters,
  values: ParameterValues,
  seed: number,
): string {
  const set = Object.keys(parameters)
    .filter((key) => values[key] !== parameters[key].default)
    .map((key) => ` --set ${key}=${values[key]}`);
  return `npx guardpage experiment ${name} --seed ${seed}${set.join('')}`;
}
