import type { PageAllocator } from '../mm/page-allocator';
import { slabLayout } from '../mm/slab-order';
import { kernelConfig } from '../stack/config';
import { OBJECT_TYPES } from '../stack/objects';
import { taskStructSize } from '../stack/task-struct';

/** Sizes of what a kernel thread takes besides its stack, bytes. */
function kthreadObjects(): number[] {
  const { signal_struct, sighand_struct, pid, cred, kthread } = OBJECT_TYPES;
  const others = [signal_struct, sighand_struct, pid, cred, kthread];
  return [taskStructSize(kernelConfig('16k')), ...others.map(({ size }) => size)];
}

/**
 * The slab pages of kernel threads' objects, without the objects: a cache asks for a slab of its usual
 * order, and when that is not to be had for one that just holds an object (allocate_slab()).
 *
 * @returns a function that takes what one thread needs; false when there was no memory
 */
export function threadObjects(allocator: PageAllocator): () => boolean {
  const caches = kthreadObjects().map((size) => ({
    layout: slabLayout({ size, version: allocator.version }),
    left: 0,
  }));
  const slab = (order: number) =>
    allocator.allocPages(order, { class: 'slab', noretry: true, nowarn: true }) !== null;
  return () =>
    caches.every((cache) => {
      const { order, objectsPerSlab, size } = cache.layout;
      if (cache.left === 0) {
        const least = Math.max(0, Math.ceil(Math.log2(size / 4096)));
        if (slab(order)) cache.left = objectsPerSlab;
        else if (slab(least)) cache.left = Math.trunc((4096 << least) / size);
        else return false;
      }
      cache.left--;
      return true;
    });
}
