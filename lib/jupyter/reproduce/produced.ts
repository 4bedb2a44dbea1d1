import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Project } from '../../setup/project';
import { textOf, type NotebookRun } from '../run-notebook';
import type { StoredNotebook } from './notebook-file';
import type { Produced } from './store';

/** The seed that exercises draw their numbers from while notebooks are run for storing and comparing. */
export const LEARNER_SEED = 0;

const PLOTLY = /^application\/vnd\.plotly\./;

/** What made the outputs of a run: kernel, language, Node, this library, plotly, the learner's seed. */
export function producedBy(project: Project, notebook: StoredNotebook, run: NotebookRun): Produced {
  const { implementation, implementationVersion, language, languageVersion, banner } = run.kernel;
  const node = /\bNode (v\d+\.\d+\.\d+)/.exec(banner)?.[1];
  const usesLibrary = notebook.cells.some(({ source }) => /["']guardpage["']/.test(textOf(source)));
  const draws = run.cells.some(({ outputs }) =>
    outputs.some(
      (output) => 'data' in output && Object.keys(output.data).some((m) => PLOTLY.test(m)),
    ),
  );
  return {
    kernel: `${implementation} ${implementationVersion}`.trim(),
    ...(language !== '' && { [language]: languageVersion }),
    ...(node !== undefined && { node }),
    ...(usesLibrary && { guardpage: versionOf(join(project.root, 'lib')), seed: LEARNER_SEED }),
    ...(draws && { 'plotly.js': versionOf(join(project.nodeModules, 'plotly.js-dist')) }),
  };
}

function versionOf(folder: string): string {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return version;
}
