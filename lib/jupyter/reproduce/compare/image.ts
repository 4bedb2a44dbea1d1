import { decodePng } from './png';
import type { Rules } from './rules';

/** How two images (base64) differ by the rule, in one line; undefined if they do not. */
export function compareImages(
  stored: string,
  fresh: string,
  { images }: Pick<Rules, 'images'>,
): string | undefined {
  if (images === 'ignore') return undefined;
  const [before, after] = [stored, fresh].map((text) => Buffer.from(text, 'base64'));
  if (before.equals(after)) return undefined;
  if (images === 'exact') return `${sizeText(before)} stored, ${sizeText(after)} new`;
  if (images === 'size') {
    const [a, b] = [dimensions(before), dimensions(after)];
    return a !== undefined && a === b ? undefined : `${a ?? '?'} stored, ${b ?? '?'} new`;
  }
  const [a, b] = [decodePng(before), decodePng(after)];
  if (!a || !b) return `${sizeText(before)} stored, ${sizeText(after)} new`;
  if (a.width !== b.width || a.height !== b.height) {
    return `${a.width} × ${a.height} stored, ${b.width} × ${b.height} new`;
  }
  if (a.format !== b.format) return 'another kind of pixels or palette';
  let changed = 0;
  const pixelBytes = Math.max(1, Math.round(a.bytes.length / (a.width * a.height)));
  for (let at = 0; at < a.bytes.length; at += pixelBytes) {
    if (a.bytes.compare(b.bytes, at, at + pixelBytes, at, at + pixelBytes) !== 0) changed += 1;
  }
  return changed === 0 ? undefined : `${changed} of ${a.width * a.height} pixels differ`;
}

const sizeText = (image: Buffer) => `${dimensions(image) ?? 'an image'} (${image.length} bytes)`;

/** `640 × 480` of a PNG, GIF or JPEG file. */
function dimensions(image: Buffer): string | undefined {
  const text = (width: number, height: number) => `${width} × ${height}`;
  if (image.length > 24 && image.toString('latin1', 1, 4) === 'PNG') {
    return text(image.readUInt32BE(16), image.readUInt32BE(20));
  }
  if (image.length > 10 && image.toString('latin1', 0, 3) === 'GIF') {
    return text(image.readUInt16LE(6), image.readUInt16LE(8));
  }
  for (let at = 2; image[0] === 0xff && image[1] === 0xd8 && at + 9 < image.length;) {
    const marker = image[at + 1];
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return text(image.readUInt16BE(at + 7), image.readUInt16BE(at + 5));
    at += 2 + image.readUInt16BE(at + 2);
  }
  return undefined;
}
