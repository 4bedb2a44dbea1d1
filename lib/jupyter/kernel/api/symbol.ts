/**
 * The method by which an object shows itself: `[Symbol.for('Jupyter.display')]()` returns a MIME
 * bundle, `{ 'text/html': '…', 'text/plain': '…' }`, or `{ data, metadata }`, or a promise of one.
 */
export const DISPLAY: unique symbol = Symbol.for('Jupyter.display');
