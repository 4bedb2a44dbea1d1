import { createServer } from 'node:net';

/** Only this machine can reach what listens here. */
export const LOOPBACK = '127.0.0.1';

/** Whether nobody listens on that port of {@link LOOPBACK}. 0 asks the system for any free one. */
export function isFree(port: number): Promise<boolean> {
  return tryPort(port).then((got) => got !== undefined);
}

/**
 * A port of {@link LOOPBACK} that was free just now.
 *
 * @param from the first one to try, upwards; 0 for any
 */
export async function freePort(from = 0): Promise<number> {
  for (let port = from; port <= 65535; port += 1) {
    const got = await tryPort(port);
    if (got !== undefined) return got;
  }
  throw new Error(`no free port from ${from} upwards`);
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      const address = server.address();
      const got = typeof address === 'object' && address ? address.port : port;
      server.close(() => resolve(got));
    });
  });
}
