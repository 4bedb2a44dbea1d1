import { stripVTControlCharacters } from 'node:util';

/** Text that can stand in XML and HTML: escaped, without characters that XML 1.0 does not have. */
export function escapeText(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
}
