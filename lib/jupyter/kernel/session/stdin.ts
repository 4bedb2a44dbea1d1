import type { Channels } from '../protocol/channels';
import type { Message } from '../protocol/message';

interface Question {
  resolve(text: string): void;
  reject(error: Error): void;
}

/** Asks the front end that sent a request for input. */
export class Stdin {
  private readonly open: Question[] = [];

  constructor(private readonly channels: Channels) {}

  ask(request: Message, prompt: string, password: boolean): Promise<string> {
    if (request.content.allow_stdin === false) {
      return Promise.reject(new Error('there is nobody to ask: the front end takes no input'));
    }
    return new Promise((resolve, reject) => {
      this.open.push({ resolve, reject });
      const { identities, header } = request;
      this.channels.send('stdin', identities, 'input_request', header, { prompt, password });
    });
  }

  /** An input_reply. */
  answer({ content }: Message): void {
    const { value } = content;
    this.open.shift()?.resolve(typeof value === 'string' ? value : '');
  }

  /** The cell that asked is over. */
  cancel(): void {
    for (const { reject } of this.open.splice(0)) reject(new Error('interrupted'));
  }
}
