import { readFileSync } from 'node:fs';
import { isObject } from './message';

/** Where a kernel listens, as a Jupyter connection file says it. */
export interface Connection {
  transport: string;
  ip: string;
  shell_port: number;
  control_port: number;
  stdin_port: number;
  iopub_port: number;
  hb_port: number;
  key: string;
  signature_scheme: string;
}

const PORTS = ['shell_port', 'control_port', 'stdin_port', 'iopub_port', 'hb_port'] as const;

/**
 * Reads a connection file.
 *
 * @throws Error that names the file and what is wrong with it
 */
export function readConnection(file: string): Connection {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`cannot read the connection file ${file}: ${(error as Error).message}`);
  }
  if (!isObject(value)) throw new Error(`${file}: expected a JSON object`);
  for (const port of PORTS) {
    if (!Number.isInteger(value[port])) {
      throw new Error(`${file}: ${port}: expected a port number, got ${String(value[port])}`);
    }
  }
  const { transport = 'tcp', ip = '127.0.0.1', key = '' } = value;
  const scheme = value.signature_scheme ?? 'hmac-sha256';
  if (transport !== 'tcp' && transport !== 'ipc') {
    throw new Error(`${file}: transport: expected tcp or ipc, got ${String(transport)}`);
  }
  if (typeof ip !== 'string' || typeof key !== 'string' || typeof scheme !== 'string') {
    throw new Error(`${file}: ip, key and signature_scheme must be strings`);
  }
  return { ...(value as unknown as Connection), transport, ip, key, signature_scheme: scheme };
}

/** The ZeroMQ address of one of its ports. */
export function address({ transport, ip }: Connection, port: number): string {
  return transport === 'ipc' ? `ipc://${ip}-${port}` : `tcp://${ip}:${port}`;
}
