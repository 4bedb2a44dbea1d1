import { readSanitiser, type Sanitiser } from './sanitise';
import { DEFAULT_RULES, IMAGE_RULES, type ImageRule, type Rules } from './compare/rules';
import type { Finding } from './finding';
import type { CellSettings, StoredNotebook } from './notebook-file';

/**
 * What counts as the same for a cell: what its metadata say, else those of the notebook, else the default;
 * sanitisers add up.
 *
 * @throws RangeError that names the setting, what was expected and what it holds
 */
export function rulesFor(
  notebook: CellSettings | undefined,
  cell: CellSettings | undefined,
  sanitisers: readonly Sanitiser[] = [],
): Rules {
  const declared = [...listOf(notebook?.sanitise), ...listOf(cell?.sanitise)];
  const tolerance = { ...notebook?.tolerance, ...cell?.tolerance };
  return {
    tolerance: {
      relative: size('relative', tolerance.relative, DEFAULT_RULES.tolerance.relative),
      absolute: size('absolute', tolerance.absolute, DEFAULT_RULES.tolerance.absolute),
    },
    sanitisers: [...sanitisers, ...declared.map(readSanitiser)],
    images: imageRule(cell?.images ?? notebook?.images),
  };
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new RangeError(`sanitise: expected a list, got ${JSON.stringify(value)}`);
}

function size(name: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value === 'number' && value >= 0) return value;
  throw new RangeError(`tolerance.${name}: expected a number from 0, got ${JSON.stringify(value)}`);
}

function imageRule(value: string | undefined): ImageRule {
  if (value === undefined) return DEFAULT_RULES.images;
  if (Object.hasOwn(IMAGE_RULES, value)) return value as ImageRule;
  const rules = Object.keys(IMAGE_RULES).join(', ');
  throw new RangeError(`images: expected ${rules}, got ${JSON.stringify(value)}`);
}

/** What is wrong with what a notebook's metadata say under `guardpage`; undefined if nothing is. */
export function settingsFlaw({ cells, metadata }: StoredNotebook): Finding | undefined {
  for (const [cell, { metadata: own }] of cells.entries()) {
    try {
      rulesFor(metadata.guardpage, own.guardpage);
    } catch (error) {
      return { kind: 'invalid-notebook', cell, message: (error as Error).message };
    }
  }
  return undefined;
}
