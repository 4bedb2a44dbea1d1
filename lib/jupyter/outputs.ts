/** One output of a cell, as a notebook file holds it. */
export type Output = StreamOutput | DataOutput | ErrorOutput;

export interface StreamOutput {
  readonly output_type: 'stream';
  readonly name: string;
  text: string;
}

export interface DataOutput {
  readonly output_type: 'display_data' | 'execute_result';
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
  readonly execution_count?: number | null;
}

export interface ErrorOutput {
  readonly output_type: 'error';
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

/** What matters of an IOPub message. */
export interface OutputMessage {
  readonly header: { readonly msg_type: string };
  readonly content: unknown;
}

/**
 * The outputs of one cell, made from its messages as a front end makes them: text of one stream
 * joined, `clear_output` and `update_display_data` carried out, `transient` left out.
 */
export class CellOutputs {
  readonly list: Output[] = [];
  private readonly displays = new Map<string, DataOutput[]>();
  private clearNext = false;

  /** Takes a message; those that are no output are passed over. */
  add({ header, content }: OutputMessage): void {
    const type = header.msg_type;
    const message = content as Record<string, unknown>;
    if (type === 'clear_output') {
      if (message.wait === true) this.clearNext = true;
      else this.clear();
      return;
    }
    if (type === 'update_display_data') {
      for (const shown of this.displays.get(displayId(message) ?? '') ?? []) {
        shown.data = message.data as DataOutput['data'];
        shown.metadata = message.metadata as DataOutput['metadata'];
      }
      return;
    }
    if (type === 'stream') this.addText(message.name as string, message.text as string);
    else if (type === 'display_data' || type === 'execute_result') this.addData(type, message);
    else if (type === 'error') this.push({ output_type: type, ...pickError(message) });
  }

  private addText(name: string, text: string): void {
    this.clearIfDue();
    const last = this.list.at(-1);
    if (last?.output_type === 'stream' && last.name === name) last.text += text;
    else this.list.push({ output_type: 'stream', name, text });
  }

  private addData(type: DataOutput['output_type'], message: Record<string, unknown>): void {
    const output: DataOutput = {
      output_type: type,
      data: message.data as DataOutput['data'],
      metadata: (message.metadata ?? {}) as DataOutput['metadata'],
      ...(type === 'execute_result' && { execution_count: message.execution_count as number }),
    };
    this.push(output);
    const id = displayId(message);
    if (id !== undefined) this.displays.set(id, [...(this.displays.get(id) ?? []), output]);
  }

  private push(output: Output): void {
    this.clearIfDue();
    this.list.push(output);
  }

  private clearIfDue(): void {
    if (this.clearNext) this.clear();
  }

  private clear(): void {
    this.clearNext = false;
    this.list.length = 0;
    this.displays.clear();
  }
}

function displayId({ transient }: Record<string, unknown>): string | undefined {
  return (transient as { display_id?: string } | undefined)?.display_id;
}

function pickError({ ename, evalue, traceback }: Record<string, unknown>) {
  return { ename, evalue, traceback } as Pick<ErrorOutput, 'ename' | 'evalue' | 'traceback'>;
}
