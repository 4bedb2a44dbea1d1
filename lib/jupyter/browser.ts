import { spawn } from 'node:child_process';

/**
 * Opens an address in the reader's browser, if there is a screen to show it on.
 *
 * @returns whether a browser was asked; whether it came up is not known
 */
export function openBrowser(address: string, env: NodeJS.ProcessEnv = process.env): boolean {
  const opener = openerFor(process.platform, env);
  if (!opener) return false;
  const child = spawn(opener, [address], { stdio: 'ignore', detached: true });
  child.on('error', () => {}); // the address has been printed
  child.unref();
  return true;
}

/** The program that opens an address; none on a machine reached through a terminal alone. */
export function openerFor(platform: string, env: NodeJS.ProcessEnv): string | undefined {
  if (platform === 'darwin') return env.SSH_CONNECTION ? undefined : 'open';
  if (env.WSL_DISTRO_NAME) return 'wslview';
  return env.DISPLAY || env.WAYLAND_DISPLAY ? 'xdg-open' : undefined;
}
