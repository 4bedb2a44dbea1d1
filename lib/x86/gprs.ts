/** The general registers but RSP, in the order of their encoding. */
export const GPR_NAMES = [
  ...(['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi'] as const),
  ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const),
] as const;
export type GprName = (typeof GPR_NAMES)[number];
export type Gprs = Record<GprName, bigint>;

/** Some registers, in the order in which they are pushed or popped. */
export interface GprList {
  /** Their numbers, as indices into {@link GPR_NAMES}. */
  readonly numbers: readonly number[];
  /** What they take on the stack. */
  readonly bytes: bigint;
}

const WORDS: unique symbol = Symbol('words');

interface OverWords extends Gprs {
  readonly [WORDS]: BigUint64Array;
}

/** The same functions for every CPU, so that all have objects of one shape. */
const ACCESSORS: PropertyDescriptorMap = Object.fromEntries(
  GPR_NAMES.map((name, number) => [
    name,
    {
      enumerable: true,
      get(this: OverWords): bigint {
        return this[WORDS][number];
      },
      set(this: OverWords, value: bigint): void {
        this[WORDS][number] = value;
      },
    },
  ]),
);

/**
 * The registers by name; each is the word of `words` with its number. A bigint in a field is an object of its
 * own, of which every store tells the garbage collector: of six registers saved and restored that was
 * two thirds of the time.
 */
export function gprsOver(words: BigUint64Array): Gprs {
  return Object.defineProperties({}, {
    ...ACCESSORS,
    [WORDS]: { value: words },
    [Symbol.for('nodejs.util.inspect.custom')]: {
      value(this: Gprs): object {
        return { ...this };
      },
    },
  } as PropertyDescriptorMap) as Gprs;
}

const lists = new WeakMap<readonly GprName[], GprList>();

/** The numbers of the registers of a list, reckoned once for each list. */
export function gprList(names: readonly GprName[]): GprList {
  let list = lists.get(names);
  if (!list) {
    const numbers = names.map((name) => GPR_NAMES.indexOf(name));
    lists.set(names, (list = { numbers, bytes: BigInt(8 * names.length) }));
  }
  return list;
}
