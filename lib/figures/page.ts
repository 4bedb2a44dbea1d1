import type { ExperimentResult } from '../experiments/experiment';
import { escapeHtml, tableHtml, type Figure } from './figure';

/**
 * A page that shows one experiment by itself: figure, caption, table, how to make it again. It loads
 * nothing.
 *
 * @param plotlySource the text of plotly.js, which becomes part of the page
 */
export function experimentPage(
  result: ExperimentResult,
  figure: Figure,
  plotlySource: string,
): string {
  const set = Object.entries(result.params).map(([name, value]) => `${name} ${value}`);
  return figurePage(
    {
      lead: [result.question],
      made: [...set, `seed ${result.seed}`].join(', '),
      notes: result.notes,
    },
    figure,
    plotlySource,
  );
}

/** What stands around the figure of a page. */
export interface PageText {
  /** Paragraphs above the figure. */
  readonly lead: readonly string[];
  /** With which parameters it was made. */
  readonly made?: string;
  /** Paragraphs below it. */
  readonly notes?: readonly string[];
}

/** A page that shows one figure with its text and table. It loads nothing. */
export function figurePage(
  { lead, made, notes = [] }: PageText,
  figure: Figure,
  plotlySource: string,
): string {
  const content = json({ data: figure.data, layout: figure.layout });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(figure.title)}: Guard Page</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(figure.title)}</h1>
${lead.map((text) => `<p>${escapeHtml(text)}</p>`).join('\n')}
<figure>
<div id="plot" role="group" aria-label="${escapeHtml(figure.alt)}"></div>
<figcaption>${escapeHtml(figure.caption)}</figcaption>
</figure>
<p>${made === undefined ? '' : `${escapeHtml(made)}. `}Made by <code>${escapeHtml(figure.command)}</code></p>
${notes.map((note) => `<p class="note">${escapeHtml(note)}</p>`).join('\n')}
<details><summary>In words</summary><p>${escapeHtml(figure.alt)}</p></details>
<details open><summary>The data (${figure.table.rows.length} rows)</summary><div class="table">${tableHtml(figure.table)}</div></details>
</main>
<script>${scriptText(plotlySource)}</script>
<script type="application/json" id="figure">${content}</script>
<script>${DRAW}</script>
</body>
</html>
`;
}

const STYLE = `
:root { color-scheme: light dark; --text: #1c1e21; --faint: #5b6167; --line: #d0d5da; --ground: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8eaed; --faint: #a3a9b0; --line: #43484e; --ground: #16181b; }
}
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); }
main { max-width: 920px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.4rem; }
figure { margin: 0; }
figcaption, .note { color: var(--faint); }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; }
th, td { border-bottom: 1px solid var(--line); padding: 2px 8px; text-align: left; }
code { overflow-wrap: anywhere; }
`;

/** Draws the figure in the page's colours, again when the system's theme changes. */
const DRAW = `
(() => {
  const { data, layout } = JSON.parse(document.getElementById('figure').textContent);
  const plot = document.getElementById('plot');
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const draw = () => {
    const axis = { gridcolor: css('--line'), linecolor: css('--faint'), zerolinecolor: css('--faint') };
    const clear = 'rgba(0, 0, 0, 0)';
    const template = { layout: {
      paper_bgcolor: clear, plot_bgcolor: clear, font: { color: css('--text') }, xaxis: axis, yaxis: axis,
      updatemenudefaults: { bgcolor: '#d5dbe1', bordercolor: '#7a828a', font: { color: '#1c1e21' } },
    } };
    Plotly.react(plot, structuredClone(data), { ...structuredClone(layout), title: undefined, autosize: true, template },
      { responsive: true, displaylogo: false });
  };
  draw();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
})();
`;

/** JSON that can stand inside a script element. */
function json(value: unknown): string {
  return JSON.stringify(value).replace(/</g, '\\u003c');
}

/** A script that nothing in it can end early. */
function scriptText(source: string): string {
  return source.replace(/<\/script/gi, '<\\/script');
}
