const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * A picture as an address that holds it, in base64: GitHub shows no other kind. Characters beyond ASCII are
 * written as XML's numeric references.
 */
export function svgDataUri(svg: string): string {
  const ascii = [...svg].map((char) => {
    const code = char.codePointAt(0) ?? 0;
    return code < 128 ? char : `&#${code};`;
  });
  return `data:image/svg+xml;base64,${base64(ascii.join(''))}`;
}

/** ASCII text in base64 (RFC 4648), where there is neither Node's Buffer nor a browser's btoa. */
function base64(ascii: string): string {
  let out = '';
  for (let i = 0; i < ascii.length; i += 3) {
    const [a, b, c] = [0, 1, 2].map((n) => ascii.charCodeAt(i + n)); // NaN beyond the end counts as 0
    const bits = (a << 16) | (b << 8) | c;
    const digits = [18, 12, 6, 0].map((shift) => DIGITS[(bits >> shift) & 63]).join('');
    out += digits.slice(0, Math.min(4, ascii.length - i + 1)).padEnd(4, '=');
  }
  return out;
}
