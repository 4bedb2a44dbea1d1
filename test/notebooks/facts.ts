import assert from 'node:assert/strict';
import architectures from '../../lib/data/facts/architectures.json';
import commits from '../../lib/data/facts/commits.json';
import constants from '../../lib/data/facts/constants.json';
import figures from '../../lib/data/facts/figures.json';
import mails from '../../lib/data/facts/mails.json';
import reports from '../../lib/data/facts/reports.json';
import versions from '../../lib/data/facts/versions.json';

/** Lookups in lib/data/facts for the claims; each fails by name for what is not there. */

export interface CommitFact {
  readonly hash: string;
  readonly title: string;
  readonly version: string | null;
  readonly source: string;
}

export interface VersionFact {
  readonly version: string;
  readonly tree: string;
  readonly order?: number;
  readonly vmap?: boolean;
  readonly endCheck?: boolean | null;
  readonly threadInfo?: number;
  readonly cached?: number;
  readonly clearsReused?: boolean;
  readonly ist?: number;
  readonly istSize?: number;
  readonly irqGuard?: boolean;
  readonly istGuard?: boolean;
  readonly dfNmi?: boolean;
  readonly wording?: string;
  readonly directMap?: string;
  /** What a later version has, and of this one only its stable tree. */
  readonly backported?: readonly string[];
}

export const VERSION_FACTS: readonly VersionFact[] = versions.rows;
export const ARCHITECTURE_FACTS: readonly {
  readonly arch: string;
  readonly since: string | null;
}[] = architectures.rows;

function find<T>(rows: readonly T[], what: string, matches: (row: T) => boolean): T {
  const row = rows.find(matches);
  assert.ok(row, `no such row in lib/data/facts: ${what}`);
  return row;
}

export const commit = (hash: string): CommitFact =>
  find<CommitFact>(commits.rows, hash, (row) => row.hash === hash);

/** Asserts that a commit is in the facts and came with that version. */
export function commitIn(hash: string, version: string | null): void {
  assert.equal(commit(hash).version, version, hash);
}

/** The row of the tree that was read for a version. */
export const versionFact = (version: string): VersionFact =>
  find(VERSION_FACTS, version, (row) => row.version === version);

export const constant = (name: string): string | number =>
  find<{ name: string; value: string | number }>(constants.rows, name, (row) => row.name === name)
    .value;

export const mail = (id: string) => find(mails.rows, id, (row) => row.id === id);

export const figureFact = (name: string) => find(figures.rows, name, (row) => row.name === name);

export const report = (name: string) => find(reports.rows, name, (row) => row.name === name);
