import { randomUUID } from 'node:crypto';
import { version as typescript } from '../versions';
import { display as show } from './display';

/**
 * The public interface of tslab, so that notebooks written for it run here:
 * `import * as tslab from 'tslab'`.
 */

export interface Versions {
  tslab: string;
  typescript: string;
  node: string;
}

/** Of this kernel, which stands in for tslab, of TypeScript and of Node. */
export const versions: Versions = {
  tslab: '1.0.22',
  typescript: typescript(),
  node: process.version,
};

export interface Display {
  javascript(s: string): void;
  html(s: string): void;
  markdown(s: string): void;
  latex(s: string): void;
  svg(s: string): void;
  png(b: Uint8Array): void;
  jpeg(b: Uint8Array): void;
  gif(b: Uint8Array): void;
  pdf(b: Uint8Array): void;
  text(s: string): void;
  raw(contentType: string, b: string | Uint8Array): void;
}

/** @param id what is shown under one id overwrites what was there */
function makeDisplay(id?: string): Display {
  let update: ((bundle: Record<string, unknown>) => void) | undefined;
  const raw = (contentType: string, content: string | Uint8Array) => {
    const bundle = { [contentType]: content };
    if (id !== undefined && update) return update(bundle);
    const handle = show(bundle, { raw: true, id });
    update = (next) => handle.update(next, { raw: true });
  };
  const as = (contentType: string) => (content: string | Uint8Array) => raw(contentType, content);
  return {
    javascript: as('text/javascript'),
    html: as('text/html'),
    markdown: as('text/markdown'),
    latex: as('text/latex'),
    svg: as('image/svg+xml'),
    png: as('image/png'),
    jpeg: as('image/jpeg'),
    gif: as('image/gif'),
    pdf: as('application/pdf'),
    text: as('text/plain'),
    raw,
  };
}

/** A display that shows in one place: what comes later overwrites what was there. */
export function newDisplay(): Display {
  return makeDisplay(randomUUID());
}

/** Shows below the cell. */
export const display: Display = makeDisplay();
