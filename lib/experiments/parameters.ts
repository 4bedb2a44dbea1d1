/** A number that an experiment can be run with. */
export interface NumberParameter {
  readonly kind: 'number';
  readonly description: string;
  readonly unit?: string;
  readonly default: number;
  /** Smallest and largest value; whole numbers only. */
  readonly min: number;
  readonly max: number;
}

/** One word of a few. */
export interface ChoiceParameter {
  readonly kind: 'choice';
  readonly description: string;
  readonly default: string;
  readonly choices: readonly string[];
}

export type Parameter = NumberParameter | ChoiceParameter;

export type Parameters = Readonly<Record<string, Parameter>>;

/** Values by parameter name, as a caller gives them: what is left out takes its default. */
export type ParameterValues = Readonly<Record<string, number | string>>;

/** The values of all parameters of `P`, with the types of their kinds. */
export type ValuesOf<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends NumberParameter ? number : string;
};

/**
 * Fills in defaults and checks what was given.
 *
 * @throws RangeError for a name that is no parameter, or a value out of its range
 */
export function checkedValues<P extends Parameters>(
  parameters: P,
  given: ParameterValues,
): ValuesOf<P> {
  const known = Object.keys(parameters);
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) {
      throw new RangeError(`${name}: expected a parameter (${known.join(', ')}), got no such one`);
    }
  }
  const values = known.map((name) => [name, checkedValue(name, parameters[name], given[name])]);
  return Object.fromEntries(values) as ValuesOf<P>;
}

function checkedValue(
  name: string,
  parameter: Parameter,
  value: number | string | undefined,
): number | string {
  if (value === undefined) return parameter.default;
  if (parameter.kind === 'choice') {
    if (typeof value === 'string' && parameter.choices.includes(value)) return value;
    throw new RangeError(
      `${name}: expected ${parameter.choices.join(', ')}, got ${JSON.stringify(value)}`,
    );
  }
  const { min, max, unit } = parameter;
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value;
  const what = unit === undefined ? 'a whole number' : `a whole number of ${unit}`;
  throw new RangeError(
    `${name}: expected ${what} from ${min} to ${max}, got ${JSON.stringify(value)}`,
  );
}
