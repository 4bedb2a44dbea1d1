import { parentPort, workerData } from 'node:worker_threads';
import { Housekeeper } from './housekeeper';
import type { Answer, Compiler, Question } from './messages';
import { Service } from './service';

/** The thread in which cells are checked and compiled. */
const { folder, cancelled } = workerData as { folder: string; cancelled: Int32Array };
const housekeeper = new Housekeeper();
const service: Compiler = new Service(folder, () => Atomics.load(cancelled, 0) !== 0);

/** The compiler works by recursion: what is nested too deep ends it. */
function messageOf(error: unknown): string {
  const { message } = error as Error;
  return /call stack/.test(message) ? 'the code is nested too deep for the compiler' : message;
}

parentPort!.on('message', ({ id, method, args }: Question) => {
  let answer: Answer;
  try {
    const call = service[method] as (...given: unknown[]) => unknown;
    answer = { id, value: call.apply(service, args) };
  } catch (error) {
    answer = { id, error: messageOf(error) };
  }
  parentPort!.postMessage(answer);
  housekeeper.note();
});

// The first check reads the library's types and takes a second: better now than in a cell.
service.compile('console.log(1)', 'cell');
