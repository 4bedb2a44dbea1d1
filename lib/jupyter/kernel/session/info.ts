import type { JsonObject } from '../protocol/message';
import { PROTOCOL_VERSION } from '../protocol/message';
import { version } from '../versions';

/** What a kernel_info_request is answered with. */
export function kernelInfo(): JsonObject {
  const typescript = version();
  return {
    status: 'ok',
    protocol_version: PROTOCOL_VERSION,
    implementation: 'guardpage-kernel',
    implementation_version: '0.1.0',
    language_info: {
      name: 'typescript',
      version: typescript,
      mimetype: 'text/typescript',
      file_extension: '.ts',
      pygments_lexer: 'typescript',
      codemirror_mode: 'typescript',
      nbconvert_exporter: 'script',
    },
    banner: `TypeScript ${typescript}, checked strictly, on Node ${process.version}`,
    help_links: [
      { text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' },
      { text: 'Node.js', url: 'https://nodejs.org/api/' },
    ],
    supported_features: [],
    debugger: false,
  };
}
