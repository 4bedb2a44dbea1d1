import assert from 'node:assert/strict';
import { KmemCache, type KmemCacheOptions } from '../../lib/mm/slab';
import type { Random } from '../../lib/random';
import { isFault } from '../../lib/x86/fault';
import { bareMachine, type BareMachine } from './machine';

/**
 * An obvious model of a slab cache: the objects handed out. Each is filled with its own byte, and
 * must still hold it when it is given back: no list pointer may lie in an object that is in use.
 */
export class SlabModel {
  readonly machine: BareMachine;
  readonly cache: KmemCache;
  readonly objects: { address: bigint; byte: number }[] = [];
  private byte = 0;

  constructor(options: KmemCacheOptions, version = '6.1') {
    this.machine = bareMachine({ version, ram: 32 * 2 ** 20 });
    const { pageAllocator, directMap, cpu } = this.machine;
    this.cache = new KmemCache(pageAllocator, directMap, cpu, options);
  }

  alloc(): void {
    const address = this.cache.alloc();
    if (address === null) return;
    assert.ok(!isFault(address));
    const { objectSize, size } = this.cache.layout;
    assert.ok(this.cache.holds(address) && this.cache.holds(address + BigInt(size - 1)));
    for (const other of this.objects) {
      assert.ok(
        address + BigInt(size) <= other.address || other.address + BigInt(size) <= address,
        'overlaps no object in use',
      );
    }
    this.byte = (this.byte + 1) & 0xff;
    assert.equal(this.machine.cpu.fillBytes(address, objectSize, this.byte), null);
    this.objects.push({ address, byte: this.byte });
  }

  free(index: number): void {
    if (this.objects.length === 0) return;
    const [{ address, byte }] = this.objects.splice(index % this.objects.length, 1);
    this.checkContents(address, byte);
    assert.equal(this.cache.free(address), null);
  }

  check(): void {
    for (const { address, byte } of this.objects) this.checkContents(address, byte);
    assert.equal(this.cache.activeObjects, this.objects.length);
    const { order } = this.cache.layout;
    const { pageInfo } = this.machine.pageAllocator;
    assert.equal(pageInfo.pagesOf('slab'), this.cache.slabCount << order);
    this.machine.pageAllocator.check();
    this.checkFree();
  }

  /** What is not in use is free, and found along the lists. */
  private checkFree(): void {
    const { memory, directMap } = this.machine;
    const free = this.cache.freeObjects((at) => memory.read64(directMap.virtToPhys(at)));
    const all = this.cache.slabCount * this.cache.layout.objectsPerSlab;
    assert.equal(free.size, all - this.objects.length);
    for (const { address } of this.objects) assert.equal(free.has(address), false);
  }

  private checkContents(address: bigint, byte: number): void {
    const bytes = this.machine.cpu.loadBytes(address, this.cache.layout.objectSize);
    assert.ok(!isFault(bytes) && bytes.every((b) => b === byte), 'object untouched');
  }
}

/** A long run with at most a few hundred objects in use. */
export function runSlab(model: SlabModel, random: Random, operations: number): void {
  const checkEvery = Math.max(500, Math.floor(operations / 10));
  for (let i = 1; i <= operations; i++) {
    const filling = Math.floor(i / 400) % 2 === 0;
    if (random.chance(filling ? 0.7 : 0.3)) model.alloc();
    else model.free(random.below(1 << 30));
    if (i % checkEvery === 0) model.check();
  }
  while (model.objects.length > 0) model.free(0);
  model.check();
}
