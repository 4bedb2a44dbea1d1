/**
 * Okabe–Ito: eight colours that people with colour-vision deficiencies tell apart (Okabe & Ito 2008,
 * "Color Universal Design"). Every use has a second cue beside: dash, marker or text.
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
