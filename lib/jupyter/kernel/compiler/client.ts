import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Answer, Committed, Compiler, Question } from './messages';

interface Waiting {
  method: keyof Compiler;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** How long a cancelled compilation may take to end by itself. */
const PATIENCE_MS = 300;

/** The compiler, in a thread of its own: whatever a cell does, it stays ready to answer. */
export class CompilerClient {
  private worker: Worker;
  private nextId = 1;
  /** Not 0: what is being compiled need not be finished. */
  private readonly cancelled = new Int32Array(new SharedArrayBuffer(4));
  private readonly waiting = new Map<number, Waiting>();
  /** What the cells have declared, for a compiler that takes over. */
  private committed: Committed[] = [];

  constructor(private readonly folder: string) {
    this.worker = this.start();
  }

  ask<M extends keyof Compiler>(
    method: M,
    ...args: Parameters<Compiler[M]>
  ): Promise<ReturnType<Compiler[M]>> {
    const id = this.nextId++;
    if (method === 'compile') Atomics.store(this.cancelled, 0, 0);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { method, resolve: resolve as (value: unknown) => void, reject });
      const question: Question = { id, method, args };
      this.worker.postMessage(question);
    });
  }

  /** Notes what a cell has done, so that later cells are compiled with it. */
  async commit(token: number, finished: boolean, reached: number): Promise<void> {
    const committed = await this.ask('commit', token, finished, reached);
    if (committed !== null) this.committed.push(committed);
  }

  /** The variables are gone. */
  async forget(): Promise<void> {
    this.committed = [];
    await this.ask('forget');
  }

  /** Breaks off what is being compiled, if need be with the compiler. */
  cancel(): void {
    const compiling = [...this.waiting].find(([, { method }]) => method === 'compile');
    if (compiling === undefined) return;
    Atomics.store(this.cancelled, 0, 1);
    const [id] = compiling;
    setTimeout(() => {
      if (!this.waiting.has(id)) return;
      const { worker } = this;
      this.replace('interrupted');
      void worker.terminate();
    }, PATIENCE_MS);
  }

  private replace(why: string): void {
    for (const { reject } of this.waiting.values()) reject(new Error(why));
    this.waiting.clear();
    this.worker = this.start();
    this.ask('restore', this.committed).catch(() => undefined);
  }

  private start(): Worker {
    const { folder, cancelled } = this;
    const workerData = { folder, cancelled };
    const worker = new Worker(join(__dirname, 'worker.js'), { workerData });
    worker.on('message', (answer: Answer) => {
      if (worker === this.worker) this.settle(answer);
    });
    let isUsable = false;
    worker.once('message', () => (isUsable = true));
    worker.on('error', (error) => {
      // One that never answered would never answer: what is missing should be seen.
      if (!isUsable) throw error;
      if (worker === this.worker) this.replace(`the compiler failed: ${error.message}`);
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
