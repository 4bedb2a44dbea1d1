import { escapeHtml } from '../figures/figure';

/**
 * The Markdown of tasks, hints and solutions as HTML: paragraphs, lists (`-`, `1.`), tables with `|`, fenced code,
 * `code`, **bold**, *italic*, [links](target). Everything else is text.
 */
export function markdownHtml(markdown: string): string {
  const html: string[] = [];
  const lines = markdown.trim().split('\n');
  for (let i = 0; i < lines.length;) {
    const start = i;
    if (lines[i].startsWith('```')) {
      i += 1;
      while (i < lines.length && !lines[i].startsWith('```')) i += 1;
      html.push(codeBlock(lines.slice(start + 1, i)));
      i += 1;
    } else if (lines[i].trim() === '') {
      i += 1;
    } else {
      const kind = kindOf(lines[i]);
      while (i < lines.length && lines[i].trim() !== '' && belongs(lines[i], kind)) i += 1;
      html.push(BLOCKS[kind](lines.slice(start, i)));
    }
  }
  return html.join('');
}

type Kind = 'bullets' | 'numbers' | 'table' | 'paragraph';

function kindOf(line: string): Kind {
  if (/^[-*] /.test(line)) return 'bullets';
  if (/^\d+\. /.test(line)) return 'numbers';
  return line.startsWith('|') ? 'table' : 'paragraph';
}

/** A list's item goes on in indented lines. */
function belongs(line: string, kind: Kind): boolean {
  if (line.startsWith('```')) return false;
  if (kind === 'bullets' || kind === 'numbers') return kindOf(line) === kind || /^\s/.test(line);
  return kindOf(line) === kind;
}

const BLOCKS: Readonly<Record<Kind, (lines: readonly string[]) => string>> = {
  paragraph: (lines) => `<p>${inline(lines.join(' '))}</p>`,
  bullets: (lines) => `<ul>${items(lines)}</ul>`,
  numbers: (lines) => `<ol>${items(lines)}</ol>`,
  table: tableBlock,
};

function items(lines: readonly string[]): string {
  const texts: string[] = [];
  for (const line of lines) {
    if (/^\s/.test(line)) texts.push(`${texts.pop() ?? ''} ${line.trim()}`);
    else texts.push(line.replace(/^([-*]|\d+\.) /, ''));
  }
  return texts.map((text) => `<li>${inline(text)}</li>`).join('');
}

/** To the left: JupyterLab sets numbers in mind, to the right. */
const CELL = 'style="text-align:left"';

function tableBlock(lines: readonly string[]): string {
  const [head, , ...body] = lines.map((line) => line.replace(/^\||\|\s*$/g, '').split('|'));
  return tableOf(
    head.map(inline),
    body.map((cells) => cells.map(inline)),
  );
}

/** A table of texts; each is HTML already. */
export function tableOf(head: readonly string[], body: readonly (readonly string[])[]): string {
  const headRow = head.map((cell) => `<th scope="col" ${CELL}>${cell.trim()}</th>`).join('');
  const rows = body.map(
    (cells) => `<tr>${cells.map((cell) => `<td ${CELL}>${cell.trim()}</td>`).join('')}</tr>`,
  );
  return `<table><thead><tr>${headRow}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

/** Long lines are wrapped: a block that scrolls sideways can't be reached by keyboard. */
function codeBlock(lines: readonly string[]): string {
  return `<pre style="white-space:pre-wrap"><code>${escapeHtml(lines.join('\n'))}</code></pre>`;
}

/** Code is taken out first: nothing in it is a mark, and a link's text may be code. */
function inline(text: string): string {
  const codes: string[] = [];
  const rest = text.replace(/`([^`]*)`/g, (_, code: string) => `\0${codes.push(code) - 1}\0`);
  return escapeHtml(rest)
    .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, '<a href="$2">$1</a>')
    .replace(/\*\*(?=\S)([^*]+)(?<=\S)\*\*/g, '<strong>$1</strong>')
    .replace(/\*(?=\S)([^*]+)(?<=\S)\*/g, '<em>$1</em>')
    .replace(/\0(\d+)\0/g, (_, i: string) => `<code>${escapeHtml(codes[Number(i)])}</code>`);
}
