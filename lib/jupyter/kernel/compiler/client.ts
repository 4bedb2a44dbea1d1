import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Answer, Compiler, Question } from './messages';

type Waiting = { resolve(value: unknown): void; reject(error: Error): void };

/** The compiler, in a thread of its own: whatever a cell does, it stays ready to answer. */
export class CompilerClient {
  private worker: Worker;
  private nextId = 1;
  private readonly waiting = new Map<number, Waiting>();

  constructor(private readonly folder: string) {
    this.worker = this.start();
  }

  ask<M extends keyof Compiler>(
    method: M,
    ...args: Parameters<Compiler[M]>
  ): Promise<ReturnType<Compiler[M]>> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      const question: Question = { id, method, args };
      this.worker.postMessage(question);
    });
  }

  /** Should the compiler itself fail, a new one takes over; what was declared is unknown to it. */
  private start(): Worker {
    const worker = new Worker(join(__dirname, 'worker.js'), {
      workerData: { folder: this.folder },
    });
    worker.on('message', (answer: Answer) => this.settle(answer));
    worker.on('error', (error) => {
      for (const { reject } of this.waiting.values()) {
        reject(new Error(`the compiler failed and was started anew: ${error.message}`));
      }
      this.waiting.clear();
      this.worker = this.start();
    });
    worker.unref();
    return worker;
  }

  private settle(answer: Answer): void {
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(answer.value);
  }
}
