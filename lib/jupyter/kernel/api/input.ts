import { call, callSync } from '../runner/bridge';

/** Asks the reader; resolves to the line typed. Rejects where there is nobody to ask. */
export async function input(prompt = ''): Promise<string> {
  return String(await call('input', String(prompt), false));
}

/** As `input`, without showing what is typed. */
export async function password(prompt = ''): Promise<string> {
  return String(await call('input', String(prompt), true));
}

/** `prompt()` as browsers have it: the cell stands still until the reader has answered. */
export function ownPrompt(): void {
  const prompt = (message: unknown = '', preset: unknown = ''): string | null => {
    const answer = String(callSync('input', String(message), false));
    return answer === '' ? String(preset) : answer;
  };
  Object.defineProperty(globalThis, 'prompt', {
    value: prompt,
    writable: true,
    configurable: true,
  });
}
