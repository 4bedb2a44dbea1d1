/** A table as data: what a figure was drawn from. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** MIME type → content, as Jupyter's display_data has it. */
export type MimeBundle = Readonly<Record<string, unknown>>;

/** One trace or the layout of plotly, as JSON. Plotly's own types need the DOM and stay out of the library. */
export type PlotlyObject = Readonly<Record<string, unknown>>;

export interface FigureSpec {
  readonly title: string;
  /** What to see in it, one or two sentences. */
  readonly caption: string;
  /** For those who can't see it: type, axes, trend. */
  readonly alt: string;
  readonly data: readonly PlotlyObject[];
  readonly layout: PlotlyObject;
  readonly table: Table;
  /** The command that makes the figure's data again. */
  readonly command: string;
}

/** Objects with this method show themselves in a notebook: it returns a MIME bundle. */
export const MIME_BUNDLE: unique symbol = Symbol.for('jupyter.mimebundle') as never;

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** Plotly data and layout, with a caption, alt text and the data as a table. */
export class Figure implements FigureSpec {
  readonly title: string;
  readonly caption: string;
  readonly alt: string;
  readonly data: readonly PlotlyObject[];
  readonly layout: PlotlyObject;
  readonly table: Table;
  readonly command: string;

  constructor(spec: FigureSpec) {
    this.title = spec.title;
    this.caption = spec.caption;
    this.alt = spec.alt;
    this.data = spec.data;
    this.table = spec.table;
    this.command = spec.command;
    this.layout = {
      ...spec.layout,
      title: { text: spec.title },
      meta: { alt: spec.alt, caption: spec.caption },
    };
  }

  /** Plotly where it can be drawn, a captioned table elsewhere. */
  [MIME_BUNDLE](): MimeBundle {
    return {
      'application/vnd.plotly.v1+json': { data: this.data, layout: this.layout },
      'text/html': this.toHtml(),
      'text/plain': this.toString(),
    };
  }

  /** Caption, alt text and data without any script. */
  toHtml(): string {
    const head = this.table.columns
      .map((name) => `<th scope="col">${escapeHtml(name)}</th>`)
      .join('');
    const body = this.table.rows
      .map(
        (row) => `<tr>${row.map((cell) => `<td>${escapeHtml(String(cell))}</td>`).join('')}</tr>`,
      )
      .join('');
    return (
      `<figure><figcaption><strong>${escapeHtml(this.title)}.</strong> ${escapeHtml(this.caption)}</figcaption>` +
      `<p>${escapeHtml(this.alt)}</p>` +
      `<details><summary>The data (${this.table.rows.length} rows)</summary>` +
      `<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></details></figure>`
    );
  }

  toString(): string {
    return `Figure: ${this.title}\n${this.caption}\nMade by: ${this.command}`;
  }

  [INSPECT](): string {
    return this.toString();
  }
}

function escapeHtml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}
