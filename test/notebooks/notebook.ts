import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { locate } from '../../lib/setup/project';

const { notebooks } = locate();

export interface NotebookOutput {
  readonly output_type: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface CourseCell {
  readonly id: string;
  readonly type: 'markdown' | 'code';
  readonly source: string;
  readonly outputs: readonly NotebookOutput[];
}

export interface CourseNotebook {
  /** File name in notebooks/. */
  readonly file: string;
  /** `00` to `12`; `glossary`. */
  readonly number: string;
  readonly cells: readonly CourseCell[];
  /** All of the text, cells separated by a blank line. */
  readonly markdown: string;
}

/** The notebooks as they lie in notebooks/, in the order of the course. */
export const COURSE: readonly CourseNotebook[] = readdirSync(notebooks)
  .filter((file) => file.endsWith('.ipynb'))
  .sort()
  .map(read);

interface StoredCell {
  readonly id: string;
  readonly cell_type: 'markdown' | 'code';
  readonly source: string | readonly string[];
  readonly outputs?: readonly NotebookOutput[];
}

function read(file: string): CourseNotebook {
  const stored = JSON.parse(readFileSync(join(notebooks, file), 'utf8')) as {
    readonly cells: readonly StoredCell[];
  };
  const cells = stored.cells.map(({ id, cell_type: type, source, outputs = [] }) => ({
    id,
    type,
    source: typeof source === 'string' ? source : source.join(''),
    outputs,
  }));
  const text = cells.filter(({ type }) => type === 'markdown').map(({ source }) => source);
  return {
    file,
    number: /^\d\d/.exec(file)?.[0] ?? file.replace(/\.ipynb$/, ''),
    cells,
    markdown: text.join('\n\n'),
  };
}

/** Markdown without what stands in code blocks. */
export function withoutCodeBlocks(markdown: string): string {
  return markdown.replace(/^```.*?^```$/gms, '');
}

/** The words that make up an anchor: as JupyterLab and GitHub form it from a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}
