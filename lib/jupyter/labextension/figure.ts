/** What a notebook's output carries for a plotly figure. */
export const MIME_TYPE = 'application/vnd.plotly.v1+json';

export type Json = Record<string, unknown>;

/** A plotly figure, checked as far as plotly itself would not say what is wrong. */
export interface Figure {
  readonly data: readonly Json[];
  readonly layout: Json;
  readonly config: Json;
  readonly frames: readonly unknown[];
  /** What a screen reader says: `layout.meta.alt`, else the output's metadata, else the title. */
  readonly alt: string;
  /** Shown below the plot: `layout.meta.caption`. */
  readonly caption: string | undefined;
}

/** Height in pixels of a figure that names none. */
const DEFAULT_HEIGHT = 450;

/** Without the button that sends the figure to a server on the net (plotly.js 4 shows it). */
const CONFIG: Json = { displaylogo: false, showSendToCloud: false, plotlyServerURL: '' };

/**
 * A figure from what the notebook holds. Nothing of `content` is shared with the result: plotly
 * writes into what it is given, and the notebook must stay as it was saved.
 *
 * @param content the output's value for {@link MIME_TYPE}
 * @param metadata the output's metadata for that type
 * @throws TypeError that names the part that is no figure
 */
export function readFigure(content: unknown, metadata: unknown = {}): Figure {
  if (!isObject(content)) throw new TypeError(`a figure is an object, not ${describe(content)}`);
  const { data, layout = {}, config = {}, frames } = structuredClone(content);
  if (!Array.isArray(data)) throw new TypeError(`data: expected a list, got ${describe(data)}`);
  for (const [i, trace] of data.entries()) {
    if (!isObject(trace)) {
      throw new TypeError(`data[${i}]: expected an object, got ${describe(trace)}`);
    }
  }
  if (!isObject(layout)) {
    throw new TypeError(`layout: expected an object, got ${describe(layout)}`);
  }
  const meta = isObject(layout.meta) ? layout.meta : {};
  const more = isObject(metadata) ? metadata : {};
  return {
    data: data as Json[],
    layout: { height: DEFAULT_HEIGHT, ...layout, width: undefined, autosize: true },
    config: { ...CONFIG, ...(isObject(config) ? config : {}), responsive: false },
    frames: Array.isArray(frames) ? frames : [],
    alt: text(meta.alt) ?? text(more.alt) ?? titleOf(layout) ?? 'Figure without a description',
    caption: text(meta.caption) ?? text(more.caption),
  };
}

function titleOf({ title }: Json): string | undefined {
  return text(text(isObject(title) ? title.text : title)?.replace(/(<[^>]*>|\s)+/g, ' '));
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
