/** Bytes of an element and how it is read, by plotly's names of the types. */
const TYPES: Readonly<Record<string, readonly [number, (view: DataView, at: number) => number]>> = {
  i1: [1, (view, at) => view.getInt8(at)],
  u1: [1, (view, at) => view.getUint8(at)],
  u1c: [1, (view, at) => view.getUint8(at)],
  i2: [2, (view, at) => view.getInt16(at, true)],
  u2: [2, (view, at) => view.getUint16(at, true)],
  i4: [4, (view, at) => view.getInt32(at, true)],
  u4: [4, (view, at) => view.getUint32(at, true)],
  f4: [4, (view, at) => view.getFloat32(at, true)],
  f8: [8, (view, at) => view.getFloat64(at, true)],
};

/**
 * Replaces plotly's packed arrays (`{dtype, bdata, shape?}`, little-endian, base64; since plotly.js 2.35 and
 * plotly.py 6) by lists of numbers, so that packed and plain data compare as equal.
 */
export function decodeTypedArrays(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decodeTypedArrays);
  if (typeof value !== 'object' || value === null) return value;
  const { dtype, bdata, shape } = value as Record<string, unknown>;
  if (typeof dtype === 'string' && typeof bdata === 'string' && TYPES[dtype]) {
    return shaped(numbers(dtype, bdata), shape);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, decodeTypedArrays(inner)]),
  );
}

function numbers(dtype: string, bdata: string): number[] {
  const [size, read] = TYPES[dtype];
  const { buffer, byteOffset, byteLength } = Buffer.from(bdata, 'base64');
  const view = new DataView(buffer, byteOffset, byteLength);
  return Array.from({ length: Math.floor(byteLength / size) }, (_, i) => read(view, i * size));
}

/** `shape` is `"3, 4"`: three rows of four. */
function shaped(flat: readonly number[], shape: unknown): unknown {
  const sizes = String(shape ?? '')
    .split(',')
    .map(Number);
  if (shape === undefined || sizes.length < 2 || sizes.some((n) => !(n > 0))) return flat;
  let rows: unknown[] = [...flat];
  for (const size of sizes.slice(1).reverse()) {
    const grouped: unknown[] = [];
    for (let i = 0; i < rows.length; i += size) grouped.push(rows.slice(i, i + size));
    rows = grouped;
  }
  return rows;
}
