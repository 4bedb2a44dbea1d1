import { parentPort, workerData } from 'node:worker_threads';
import type { Answer, Compiler, Question } from './messages';
import { Service } from './service';

/** The thread in which cells are checked and compiled. */
const { folder } = workerData as { folder: string };
const service: Compiler = new Service(folder);

parentPort!.on('message', ({ id, method, args }: Question) => {
  let answer: Answer;
  try {
    const call = service[method] as (...given: unknown[]) => unknown;
    answer = { id, value: call.apply(service, args) };
  } catch (error) {
    answer = { id, error: (error as Error).message };
  }
  parentPort!.postMessage(answer);
});

// The first check reads the library's types and takes a second: better now than in a cell.
service.compile('console.log(1)', 'cell');
