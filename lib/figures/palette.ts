/**
 * Okabe–Ito: eight colours that people with colour-vision deficiencies tell apart (Okabe & Ito 2008,
 * "Color Universal Design"). Every use has a second cue beside: dash, marker or text. Black became a grey
 * that is seen on light and on dark ground.
 */
export const OKABE_ITO = {
  orange: '#E69F00',
  skyBlue: '#56B4E9',
  bluishGreen: '#009E73',
  yellow: '#F0E442',
  blue: '#0072B2',
  vermillion: '#D55E00',
  reddishPurple: '#CC79A7',
  grey: '#7F7F7F',
} as const;

/** A colour with its second cues, for whatever kind of mark is drawn. */
export interface Style {
  readonly color: string;
  readonly dash: string;
  /** Marker; with `-open` behind it for what was recorded. */
  readonly symbol: string;
  /** Hatching of an area. */
  readonly pattern: string;
}

const style = (
  color: keyof typeof OKABE_ITO,
  dash: string,
  symbol: string,
  pattern: string,
): Style => ({ color: OKABE_ITO[color], dash, symbol, pattern });

/** Styles for series in the order in which they come. */
export const SERIES: readonly Style[] = [
  style('blue', 'solid', 'circle', ''),
  style('vermillion', 'dash', 'square', '/'),
  style('bluishGreen', 'dot', 'diamond', 'x'),
  style('orange', 'dashdot', 'triangle-up', '.'),
  style('reddishPurple', 'longdash', 'cross', '\\'),
  style('skyBlue', 'longdashdot', 'star', '-'),
];

/** The three eras look the same in every figure. */
export const ERA_STYLE = {
  '8k': style('vermillion', 'dash', 'square', '/'),
  '16k': style('blue', 'dot', 'circle', '.'),
  vmap: style('bluishGreen', 'dashdot', 'diamond', ''),
} as const;

export const ERA_NAME = {
  '8k': '8 KB, direct map',
  '16k': '16 KB, direct map',
  vmap: '16 KB, vmalloc’ed',
} as const;
