import type { Sanitiser } from '../sanitise';

/** When two numbers count as equal: |a − b| ≤ absolute + relative × the larger magnitude. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** Enough for sums in another order, far too little for another result. */
export const DEFAULT_TOLERANCE: Tolerance = { relative: 1e-9, absolute: 1e-12 };

/** How static images are compared. */
export const IMAGE_RULES = {
  pixels: 'PNG by decoded pixels, other images byte by byte',
  exact: 'byte by byte',
  size: 'type, width and height only',
  ignore: 'not compared',
} as const;

export type ImageRule = keyof typeof IMAGE_RULES;

/** What counts as the same. */
export interface Rules {
  readonly tolerance: Tolerance;
  readonly sanitisers: readonly Sanitiser[];
  readonly images: ImageRule;
}

export const DEFAULT_RULES: Rules = {
  tolerance: DEFAULT_TOLERANCE,
  sanitisers: [],
  images: 'pixels',
};

export function isClose(a: number, b: number, { relative, absolute }: Tolerance): boolean {
  if (Object.is(a, b) || a === b) return true;
  return Math.abs(a - b) <= absolute + relative * Math.max(Math.abs(a), Math.abs(b));
}
