import { inflateSync } from 'node:zlib';

/** An image without compression: 8 or 16 bits a sample, as the file has them. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** How samples and palette are to be read: equal only if this is. */
  readonly format: string;
  readonly bytes: Buffer;
}

const SIGNATURE = '89504e470d0a1a0a';

/** Samples of a pixel by colour type (PNG specification, 11.2.2). */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/**
 * The pixels of a PNG file, without its comments, dates and the way it was packed. Undefined for what is
 * no PNG or has its rows interlaced.
 */
export function decodePng(file: Buffer): Pixels | undefined {
  if (file.subarray(0, 8).toString('hex') !== SIGNATURE) return undefined;
  const packed: Buffer[] = [];
  let header: Buffer | undefined;
  let palette = '';
  for (let at = 8; at + 12 <= file.length;) {
    const length = file.readUInt32BE(at);
    const type = file.toString('latin1', at + 4, at + 8);
    const content = file.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') header = content;
    else if (type === 'IDAT') packed.push(content);
    else if (type === 'PLTE' || type === 'tRNS') palette += `${type}${content.toString('hex')}`;
    at += 12 + length;
  }
  if (header === undefined || header.length < 13 || header[12] !== 0) return undefined;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const [depth, colour] = [header[8], header[9]];
  const bits = depth * (SAMPLES[colour] ?? 0);
  if (bits === 0) return undefined;
  const rowBytes = Math.ceil((width * bits) / 8);
  try {
    const bytes = unfilter(
      inflateSync(Buffer.concat(packed)),
      rowBytes,
      height,
      Math.max(1, bits >> 3),
    );
    return bytes && { width, height, format: `${depth}/${colour}/${palette}`, bytes };
  } catch {
    return undefined;
  }
}

/** Undoes the filters of each row (PNG specification, 9.2). */
function unfilter(raw: Buffer, rowBytes: number, height: number, step: number): Buffer | undefined {
  if (raw.length < (rowBytes + 1) * height) return undefined;
  const out = Buffer.alloc(rowBytes * height);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (rowBytes + 1)];
    for (let x = 0; x < rowBytes; x += 1) {
      const at = y * rowBytes + x;
      const left = x >= step ? out[at - step] : 0;
      const up = y > 0 ? out[at - rowBytes] : 0;
      const corner = x >= step && y > 0 ? out[at - rowBytes - step] : 0;
      out[at] = raw[y * (rowBytes + 1) + 1 + x] + predicted(filter, left, up, corner);
    }
  }
  return out;
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  if (filter !== 4) return 0;
  const estimate = left + up - corner;
  const [dl, du, dc] = [left, up, corner].map((value) => Math.abs(estimate - value));
  return dl <= du && dl <= dc ? left : du <= dc ? up : corner;
}
