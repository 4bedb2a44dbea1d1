/** MIME type → content. */
type MimeBundle = Readonly<Record<string, unknown>>;

/** Objects with this method show themselves: it returns a MIME bundle. */
const MIME_BUNDLE = Symbol.for('jupyter.mimebundle');

/** Set by a notebook kernel that takes a MIME bundle as it is. */
const DISPLAY = Symbol.for('jupyter.display');

type Display = (bundle: MimeBundle) => void;

/**
 * Shows a value below the cell, as rich as the kernel can: in the kernel of this project, in tslab, and as
 * text where there is no notebook.
 */
export function show(value: unknown): void {
  const method = (value as { [MIME_BUNDLE]?: () => MimeBundle } | null)?.[MIME_BUNDLE];
  if (typeof method !== 'function') {
    console.log(value);
    return;
  }
  const bundle = method.call(value);
  const display = (globalThis as { [DISPLAY]?: Display })[DISPLAY] ?? tslabDisplay();
  if (display) display(bundle);
  else console.log(bundle['text/plain']);
}

/** tslab's public API writes one MIME type a message; its writer takes a whole bundle. */
function tslabDisplay(): Display | null {
  const writer = loadedTslab()?.lastWriteDisplayData;
  if (!writer) return null;
  return (data) => writer({ data, metadata: {}, transient: {} }, false);
}

interface TslabJupyter {
  readonly lastWriteDisplayData?: (content: object, update: boolean) => void;
}

/** The module of the tslab that runs this code, if one does: it is loaded already then. */
function loadedTslab(): TslabJupyter | undefined {
  const key = Object.keys(require.cache).find((path) =>
    /[\\/]tslab[\\/]dist[\\/]jupyter\.js$/.test(path),
  );
  return key === undefined ? undefined : (require.cache[key]?.exports as TslabJupyter);
}
