import { readFileSync } from 'node:fs';
import type { Output } from '../../outputs';
import { textOf } from '../../run-notebook';
import { FINDINGS, type Finding } from '../finding';
import { countsLine, type NotebookResult } from '../result';
import { escapeText } from './escape';
import { placeOf, placeText } from './place';

const PLOTLY = 'application/vnd.plotly.v1+json';

/**
 * The results as one page that loads nothing: each finding with the cell's source, stored and new output side
 * by side, figures drawn.
 */
export function htmlReport(results: readonly NotebookResult[]): string {
  const body = results.map(section).join('\n');
  const draws = body.includes('class="plot"');
  const scripts = draws
    ? `<script>${scriptText(readFileSync(require.resolve('plotly.js-dist'), 'utf8'))}</script>\n<script>${DRAW}</script>\n`
    : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:">
<title>Notebooks: ${countsLine(results)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Notebooks</h1>
<p>${countsLine(results)}</p>
${overview(results)}
${body}
</main>
${scripts}</body>
</html>
`;
}

function overview(results: readonly NotebookResult[]): string {
  const rows = results.map(({ name, outcome, cells, ms, findings, reason = '' }, i) => {
    const found = findings.map(({ kind }) => kind).join(', ') || reason;
    const link =
      findings.length > 0 ? `<a href="#n${i}">${escapeText(name)}</a>` : escapeText(name);
    const numbers = `<td>${cells.length}</td><td>${(ms / 1000).toFixed(1)}</td>`;
    return `<tr><td>${link}</td><td class="${outcome}">${outcome}</td>${numbers}<td>${escapeText(found)}</td></tr>`;
  });
  const heads = ['notebook', 'outcome', 'cells run', 'seconds', 'found'];
  const head = heads.map((text) => `<th scope="col">${text}</th>`).join('');
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function section(result: NotebookResult, i: number): string {
  if (result.findings.length === 0) return '';
  const findings = result.findings.map((finding) => findingHtml(result, finding)).join('\n');
  return `<section id="n${i}"><h2>${escapeText(result.name)}</h2>\n${findings}</section>`;
}

function findingHtml({ notebook, cells }: NotebookResult, finding: Finding): string {
  const { kind, message, cell, details = [], stored, fresh } = finding;
  const place = notebook && cell !== undefined ? placeOf(notebook, cell) : undefined;
  const where = place ? `${placeText(place)}: ` : '';
  const stderr = cells.find(({ index }) => index === cell)?.stderr ?? '';
  return [
    `<article><h3><span class="kind">${kind}</span> ${escapeText(where + message)}</h3>`,
    `<p class="faint">${escapeText(FINDINGS[kind])}</p>`,
    place ? `<pre class="source">${escapeText(place.source)}</pre>` : '',
    details.length > 0 ? `<pre class="diff">${details.map(diffLine).join('\n')}</pre>` : '',
    stored || fresh ? pair(stored, fresh) : '',
    stderr === ''
      ? ''
      : `<details><summary>stderr</summary><pre>${escapeText(stderr)}</pre></details>`,
    '</article>',
  ].join('\n');
}

function diffLine(line: string): string {
  const text = escapeText(line);
  if (line.startsWith('- ')) return `<del>${text}</del>`;
  return line.startsWith('+ ') ? `<ins>${text}</ins>` : text;
}

function pair(stored: Output | undefined, fresh: Output | undefined): string {
  const side = (title: string, output: Output | undefined) =>
    `<div><h4>${title}</h4>${output ? outputHtml(output) : '<p class="faint">nothing</p>'}</div>`;
  return `<div class="pair">${side('stored', stored)}${side('new', fresh)}</div>`;
}

/** An output as a front end would show it; HTML in a frame of its own that runs and loads nothing. */
function outputHtml(output: Output): string {
  if (output.output_type === 'stream') return `<pre>${escapeText(textOf(output.text))}</pre>`;
  if (output.output_type === 'error') {
    return `<pre>${escapeText(`${output.ename}: ${output.evalue}\n${output.traceback.join('\n')}`)}</pre>`;
  }
  const { data } = output;
  if (data[PLOTLY] !== undefined) {
    const json = JSON.stringify(data[PLOTLY]).replace(/</g, '\\u003c');
    return `<div class="plot" role="img" aria-label="figure"><script type="application/json">${json}</script></div>`;
  }
  const text = (mime: string) => textOf(data[mime] as string | string[]);
  const markup = ['text/html', 'image/svg+xml'].find((mime) => data[mime] !== undefined);
  if (markup !== undefined) {
    const page = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">${text(markup)}`;
    return `<iframe sandbox="" title="output" srcdoc="${page.replace(/&/g, '&amp;').replace(/"/g, '&quot;')}"></iframe>`;
  }
  const image = Object.keys(data).find((mime) => /^image\/(?:png|jpeg|gif|webp)$/.test(mime));
  if (image !== undefined) {
    return `<img alt="output" src="data:${image};base64,${text(image).replace(/[^\w+/=]/g, '')}">`;
  }
  const [mime = 'nothing', content = ''] = Object.entries(data)[0] ?? [];
  const shown =
    typeof content === 'string' || Array.isArray(content)
      ? textOf(content as string)
      : JSON.stringify(content, null, 1);
  return `<p class="faint">${escapeText(mime)}</p><pre>${escapeText(shown)}</pre>`;
}

/** A script that nothing in it can end early. */
function scriptText(source: string): string {
  return source.replace(/<\/script/gi, '<\\/script').replace(/<!--/g, '<\\!--');
}

const STYLE = `
:root { color-scheme: light dark; --text: #1c1e21; --faint: #5b6167; --line: #d0d5da; --ground: #fff; --code: #f4f5f7; --red: #b3261e; --green: #146c2e; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8eaed; --faint: #a3a9b0; --line: #43484e; --ground: #16181b; --code: #202327; --red: #ff8a80; --green: #7bd88f; }
}
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); }
main { max-width: 1400px; margin: 0 auto; padding: 16px; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid var(--line); padding: 3px 12px 3px 0; text-align: left; vertical-align: top; }
article { border-top: 1px solid var(--line); padding: 8px 0 16px; }
h3 { font-size: 1rem; margin: 8px 0 0; }
h4 { font-size: 0.9rem; margin: 8px 0 4px; color: var(--faint); }
pre { background: var(--code); padding: 8px; overflow-x: auto; font-size: 0.85rem; margin: 6px 0; }
del, ins { text-decoration: none; }
del, .kind, .failed { color: var(--red); }
ins, .passed { color: var(--green); }
.faint { color: var(--faint); margin: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; }
.pair > div { min-width: 0; }
.pair iframe { width: 100%; height: 240px; resize: vertical; border: 1px solid var(--line); background: #fff; }
.pair img { max-width: 100%; background: #fff; }
.plot { background: #fff; }
@media (max-width: 900px) { .pair { grid-template-columns: 1fr; } }
`;

const DRAW = `
for (const plot of document.querySelectorAll('.plot')) {
  const { data, layout } = JSON.parse(plot.querySelector('script').textContent);
  Plotly.newPlot(plot, data, { ...layout, autosize: true, width: undefined }, { responsive: true, displaylogo: false });
}
`;
