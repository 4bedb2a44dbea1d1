/**
 * The method by which an object shows itself: `[Symbol.for('Jupyter.display')]()` returns a MIME
 * bundle, `{ 'text/html': '…', 'text/plain': '…' }`, or `{ data, metadata }`, or a promise of one.
 */
export const DISPLAY: unique symbol = Symbol.for('Jupyter.display');

/** Another name of the same method. */
export const MIME_BUNDLE: unique symbol = Symbol.for('jupyter.mimebundle');

/** In `globalThis`: shows a MIME bundle, for libraries that do not import the kernel. */
export const SHOW: unique symbol = Symbol.for('jupyter.display');
