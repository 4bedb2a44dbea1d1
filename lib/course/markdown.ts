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

function tableBlock(lines: readonly string[]): string {
  const rows = lines.map((line) => line.replace(/^\||\|\s*$/g, '').split('|'));
  const row = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${inline(cell.trim())}</${tag.split(' ')[0]}>`).join('')}</tr>`;
  const [head, , ...body] = rows;
  return (
    `<table><thead>${row(head, 'th scope="col"')}</thead>` +
    `<tbody>${body.map((cells) => row(cells, 'td')).join('')}</tbody></table>`
  );
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
