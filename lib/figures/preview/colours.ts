/** `#rgb`, `#rrggbb` or `rgb(…)` as numbers; undefined for what is none of these. */
function channels(colour: string): number[] | undefined {
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(colour)?.[1];
  if (hex !== undefined) {
    const wide = hex.length === 3 ? [...hex].map((digit) => digit + digit).join('') : hex;
    return [0, 2, 4].map((i) => parseInt(wide.slice(i, i + 2), 16));
  }
  const rgb = /^rgba?\(([^)]*)\)$/.exec(colour)?.[1];
  return rgb?.split(',').slice(0, 3).map(Number);
}

/** The colour that a colour scale gives to a share from 0 to 1. */
export function scaleColour(scale: readonly (readonly [number, string])[], share: number): string {
  const above = scale.findIndex(([at]) => at >= share);
  if (above < 0) return scale[scale.length - 1][1];
  // Two entries at one place are a step: what lies on it belongs to the upper one.
  const next = scale[above + 1];
  if (next && next[0] === share && scale[above][0] === share) return next[1];
  if (above === 0 || scale[above][0] === share) return scale[above][1];
  const [[low, from], [high, to]] = [scale[above - 1], scale[above]];
  const [a, b] = [channels(from), channels(to)];
  if (!a || !b || from === to) return from;
  const part = (share - low) / (high - low);
  return `rgb(${a.map((value, i) => Math.round(value + (b[i] - value) * part)).join(', ')})`;
}

/** Black or white, whichever is read better on a colour. */
export function contrasting(colour: string): string {
  const [r, g, b] = channels(colour) ?? [255, 255, 255];
  return 0.299 * r + 0.587 * g + 0.114 * b > 150 ? '#222' : '#fff';
}
