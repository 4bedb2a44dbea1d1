import { existsSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { isEdited, notebooksIn, resetCopy } from '../learner/working-copies';
import { locate } from '../setup/project';
import type { Register } from '.';
import { UsageError } from './usage-error';

export const register: Register = (program) => {
  program
    .command('reset')
    .description('bring back the original of one of your notebooks; yours is kept beside it')
    .argument('<notebook>', 'its number or name: 03, 03-headroom, my-course/03-headroom.ipynb')
    .option('--yes', 'do not ask')
    .action(async (name: string, { yes = false }: { yes?: boolean }) => {
      await reset(name, yes);
    });
};

async function reset(name: string, yes: boolean): Promise<void> {
  const { root, notebooks, learner } = locate();
  const notebook = find(notebooksIn(notebooks), name);
  const shown = relative(root, join(learner, notebook));
  if (isEdited(notebooks, learner, notebook) && !yes && !(await agreed(shown))) {
    process.stdout.write('Nothing was changed.\n');
    return;
  }
  const open = existsSync(join(learner, notebook));
  const kept = resetCopy(notebooks, learner, notebook);
  process.stdout.write(
    `${shown} is the original again${kept ? `; yours is kept as ${relative(root, join(learner, kept))}` : ''}.\n` +
      (open ? 'If it is open in JupyterLab: File → Reload Notebook from Disk.\n' : ''),
  );
}

/** @throws UsageError that lists the notebooks, unless `name` means one of them */
function find(notebooks: readonly string[], name: string): string {
  const wanted = basename(name, '.ipynb');
  const found =
    notebooks.find((notebook) => basename(notebook, '.ipynb') === wanted) ??
    notebooks.find((notebook) => /^\d\d$/.test(wanted) && notebook.startsWith(`${wanted}-`));
  if (found) return found;
  const list = notebooks.map((notebook) => basename(notebook, '.ipynb')).join(', ');
  throw new UsageError(`reset: expected one of ${list}; got ${JSON.stringify(name)}`);
}

async function agreed(shown: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new UsageError(
      `${shown} has been edited, and here nobody can be asked: run it in a terminal, or with --yes`,
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    const answer = terminal.question(
      `${shown} has been edited. Bring back the original? Yours is kept beside it. [y/N] `,
    );
    return /^\s*y(es)?\s*$/i.test(await Promise.race([answer, closed]));
  } finally {
    terminal.close();
  }
}
