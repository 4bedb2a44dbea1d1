import type { ImportedName, ImportSlot } from './names';

/**
 * The imports of earlier cells, as statements for the next one. Every cell begins with the same
 * imports in the same order, whether it needs their names or not: the compiler then keeps what
 * it knows of the modules, instead of reading them anew.
 */
export class ImportSlots {
  private readonly slots: ImportSlot[] = [];

  /** Finds the slot, or adds it. */
  index(slot: ImportSlot): number {
    const { kind, isTypeOnly, from } = slot;
    const at = this.slots.findIndex(
      (known) => known.kind === kind && known.isTypeOnly === isTypeOnly && known.from === from,
    );
    return at >= 0 ? at : this.slots.push(slot) - 1;
  }

  /** One statement a slot, with those of `wanted` that belong to it. */
  statements(wanted: readonly ImportedName[]): string[] {
    const bySlot = new Map<number, ImportedName[]>();
    for (const name of wanted) {
      const at = this.index(name.slot);
      const known = bySlot.get(at);
      if (known) known.push(name);
      else bySlot.set(at, [name]);
    }
    return this.slots.map((slot, at) => statement(slot, bySlot.get(at) ?? []));
  }
}

function statement({ kind, isTypeOnly, from }: ImportSlot, names: readonly ImportedName[]): string {
  const type = isTypeOnly ? 'type ' : '';
  const [first] = names;
  if (kind === 'equals') return first ? from : '';
  if (first === undefined) return `import ${type}{} ${from}`;
  const star = kind === 'namespace' ? '* as ' : '';
  const clauses =
    kind === 'named'
      ? [`{ ${names.map(({ specifier }) => specifier).join(', ')} }`]
      : names.map(({ name }) => star + name);
  return clauses.map((clause) => `import ${type}${clause} ${from}`).join(' ');
}
