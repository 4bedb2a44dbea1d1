import { compareKernelVersions, sinceVersion } from '../mm/kernel-version';
import { HAVE_ARCH_VMAP_STACK_SINCE, type Arch } from './architectures';
import { OPTIONS, type KconfigOption } from './kconfig-options';

const OLDEST = '2.6.32';
const NEWEST = '6.19';

export type KconfigValue = boolean | 'y' | 'n';

export interface KconfigRequest {
  /** x86_64 unless given. */
  readonly arch?: Arch;
  readonly version: string;
  /** What is answered in `make config`, by name without CONFIG_; everything else keeps its default. */
  readonly options?: Readonly<Record<string, KconfigValue | undefined>>;
}

/** One option and how it came to its value. */
export interface KconfigRow {
  readonly option: string;
  readonly value: 'y' | 'n';
  /** One can choose it; otherwise something selects it, or nothing can. */
  readonly prompt: boolean;
  readonly why: string;
}

export interface KconfigAnswer {
  readonly arch: Arch;
  readonly version: string;
  readonly rows: readonly KconfigRow[];
  /**
   * The value of one option; `n` for one that the version does not know.
   *
   * @throws RangeError for one of which nothing is known on this architecture: it has no row either
   */
  value(option: string): 'y' | 'n';
}

/** What an option may ask for while its value is worked out. */
export interface KconfigContext {
  readonly arch: Arch;
  readonly version: string;
  since(version: string): boolean;
  /** Value of an option that comes earlier in the table. */
  is(option: string): boolean;
}

/**
 * Works out the options that decide how a kernel stack is built, as Kconfig does: dependencies first, then
 * the answer given, then the default. An answer that Kconfig would silently drop is refused here.
 *
 * Only options about stacks are known, and of KASAN only what concerns them, on x86_64.
 *
 * @throws RangeError for an unknown architecture, version or option, and for an answer that the
 *   dependencies do not allow, or of whose option nothing is known on the architecture, with the reason
 */
export function kconfig(request: KconfigRequest): KconfigAnswer {
  const arch = request.arch ?? 'x86_64';
  const { version } = request;
  if (!(arch in HAVE_ARCH_VMAP_STACK_SINCE)) {
    const known = Object.keys(HAVE_ARCH_VMAP_STACK_SINCE).join(', ');
    throw new RangeError(`arch: expected ${known}, got ${JSON.stringify(arch)}`);
  }
  if (compareKernelVersions(version, OLDEST) < 0 || compareKernelVersions(version, NEWEST) > 0) {
    throw new RangeError(`version: expected ${OLDEST} to ${NEWEST}, got ${version}`);
  }
  const asked = readAnswers(request.options ?? {});
  const rows: KconfigRow[] = [];
  const values = new Map<string, boolean>();
  const unknown = new Map<string, string>();
  const context: KconfigContext = {
    arch,
    version,
    since: (release) => sinceVersion(version, release),
    is: (option) => values.get(option) ?? false,
  };
  for (const option of OPTIONS) {
    const whyUnknown = option.unknown?.(context) ?? null;
    if (whyUnknown !== null) {
      unknown.set(option.name, whyUnknown);
      if (asked.has(option.name)) throw new RangeError(`${option.name}: ${whyUnknown}`);
      continue;
    }
    const row = resolve(option, asked.get(option.name), context);
    values.set(option.name, row.value === 'y');
    rows.push(row);
  }
  const answer: KconfigAnswer = {
    arch,
    version,
    rows,
    value: (option) => {
      const why = unknown.get(option);
      if (why !== undefined) throw new RangeError(`${option}: ${why}`);
      return values.get(option) ? 'y' : 'n';
    },
  };
  Object.defineProperty(answer, Symbol.for('nodejs.util.inspect.custom'), {
    value: () => dotConfig(answer),
    enumerable: false,
  });
  return answer;
}

function readAnswers(options: Readonly<Record<string, KconfigValue | undefined>>) {
  const asked = new Map<string, boolean>();
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const name = key.replace(/^CONFIG_/, '');
    if (!OPTIONS.some((option) => option.name === name)) {
      const known = OPTIONS.map((option) => option.name).join(', ');
      throw new RangeError(`options: expected names out of ${known}, got ${key}`);
    }
    if (value !== true && value !== false && value !== 'y' && value !== 'n') {
      throw new RangeError(`${name}: expected y or n, got ${JSON.stringify(value)}`);
    }
    asked.set(name, value === true || value === 'y');
  }
  return asked;
}

function resolve(
  { name, prompt, unmet, value, why }: KconfigOption,
  asked: boolean | undefined,
  context: KconfigContext,
): KconfigRow {
  const missing = unmet(context);
  const row = (result: boolean, reason: string): KconfigRow => ({
    option: name,
    value: result ? 'y' : 'n',
    prompt: prompt && missing === null,
    why: reason,
  });
  if (missing !== null) {
    if (asked) throw new RangeError(`${name}=y is impossible: ${missing}`);
    return row(false, missing);
  }
  const byDefault = value(context);
  if (!prompt) {
    if (asked !== undefined && asked !== byDefault) {
      throw new RangeError(
        `${name}=${asked ? 'y' : 'n'} is impossible: it has no prompt and nobody sets it by hand; ${why}`,
      );
    }
    return row(byDefault, why);
  }
  if (asked !== undefined) return row(asked, 'as answered');
  return row(byDefault, why);
}

/** The lines of a .config file. */
function dotConfig({ arch, version, rows }: KconfigAnswer): string {
  const width = Math.max(...rows.map(({ option }) => option.length)) + 24;
  const lines = rows.map(({ option, value, why }) => {
    const line = value === 'y' ? `CONFIG_${option}=y` : `# CONFIG_${option} is not set`;
    return `${line.padEnd(width)} # ${why}`;
  });
  return [`# Linux/${arch} ${version}`, ...lines].join('\n');
}
