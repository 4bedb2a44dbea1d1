import type { JupyterServer } from '../server';

/** The names of the kernels that a server can start. */
export async function installedKernels({
  url,
  token,
}: Pick<JupyterServer, 'url' | 'token'>): Promise<string[]> {
  const headers = { Authorization: `token ${token}` };
  const answer = await fetch(`${url}api/kernelspecs`, { headers });
  const { kernelspecs } = (await answer.json()) as { kernelspecs: Record<string, unknown> };
  return Object.keys(kernelspecs).sort();
}
