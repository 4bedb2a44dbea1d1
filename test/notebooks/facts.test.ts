import assert from 'node:assert/strict';
import commits from '../../lib/data/facts/commits.json';
import { HAVE_ARCH_VMAP_STACK_SINCE } from '../../lib/stack/architectures';
import { featuresOf } from '../../lib/stack/versions';
import { ARCHITECTURE_FACTS, VERSION_FACTS } from './facts';

describe('lib/data/facts', () => {
  it('names each commit once, by twelve digits, with a source', () => {
    const hashes = commits.rows.map(({ hash }) => hash);
    assert.equal(new Set(hashes).size, hashes.length);
    for (const { hash, source } of commits.rows) {
      assert.match(hash, /^[0-9a-f]{12}$/);
      assert.notEqual(source, '');
    }
  });

  it('states nothing that is marked as not confirmed', () => {
    assert.doesNotMatch(JSON.stringify([commits, VERSION_FACTS]), /UNCONFIRMED/);
  });

  for (const fact of VERSION_FACTS) {
    it(`has for ${fact.version} what the simulated kernel does`, () => {
      const { features } = featuresOf(fact.version);
      const simulated = {
        order: features.THREAD_SIZE_ORDER,
        vmap: features.HAVE_ARCH_VMAP_STACK,
        endCheck: features.stackEndCheck !== 'none',
        threadInfo: features.threadInfo.size,
        cached: features.NR_CACHED_STACKS,
        clearsReused: features.clearsReusedStack,
        ist: features.istStacks.length,
        istSize: Math.min(...features.istStacks.map(({ size }) => size)),
        irqGuard: features.guardsIrqStack,
        istGuard: features.guardsIstStacks,
        dfNmi: features.doubleFaultIsNmi,
      };
      for (const [key, value] of Object.entries(simulated)) {
        const read = (fact as unknown as Record<string, unknown>)[key];
        if (read === undefined || read === null || fact.backported?.includes(key)) continue;
        assert.equal(value, read, key);
      }
    });
  }

  it('has the architectures of the simulated Kconfig', () => {
    for (const { arch, since } of ARCHITECTURE_FACTS) {
      assert.equal((HAVE_ARCH_VMAP_STACK_SINCE as Record<string, string | null>)[arch], since, arch);
    }
  });
});
