/** A Jupyter kernel for TypeScript: `node main.js CONNECTION_FILE [--history FILE]`. */
import { Channels } from './protocol/channels';
import { readConnection } from './protocol/connection';
import { Kernel } from './session/kernel';
import { watchLifetime } from './session/lifetime';

const USAGE = 'usage: node main.js CONNECTION_FILE [--history FILE]\n';

interface Arguments {
  connectionFile: string;
  historyFile?: string;
}

function parse(argv: readonly string[]): Arguments | undefined {
  const rest = [...argv];
  const at = rest.indexOf('--history');
  const [, historyFile] = at < 0 ? [] : rest.splice(at, 2);
  if (rest.length !== 1 || rest[0].startsWith('-') || (at >= 0 && !historyFile)) return undefined;
  return {
    connectionFile: rest[0],
    historyFile: historyFile ?? process.env.GUARDPAGE_KERNEL_HISTORY,
  };
}

async function main(): Promise<void> {
  const parsed = parse(process.argv.slice(2));
  if (parsed === undefined) {
    process.stderr.write(USAGE);
    process.exitCode = 2;
    return;
  }
  const { connectionFile, historyFile } = parsed;
  const channels = new Channels(readConnection(connectionFile));
  const end = (code: number) => {
    kernel.stop();
    // What is queued is to be sent; nothing may keep the process alive beyond that.
    setTimeout(() => process.exit(code), 2000).unref();
    void channels.close().finally(() => process.exit(code));
  };
  const kernel = new Kernel(channels, {
    folder: process.cwd(),
    historyFile,
    onShutdown: () => end(0),
  });
  // A slip of this kernel's own must not cost the reader the variables.
  process.on('uncaughtException', (error) => {
    process.stderr.write(`The kernel has made a mistake and goes on: ${error.stack}\n`);
  });
  process.on('SIGINT', () => kernel.interrupt());
  process.on('SIGTERM', () => end(0));
  process.on('SIGHUP', () => end(0));
  watchLifetime(connectionFile, (why) => {
    process.stderr.write(`The kernel ends: ${why}.\n`);
    end(1);
  });
  await channels.open((channel, message) => kernel.receive(channel, message));
  kernel.announce();
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
});
