import { offsetBy, type VirtAddr } from '../x86/addr';
import type { KmemCacheOptions } from '../mm/slab';
import type { KernelConfig } from './config';
import type { Machine } from './machine';
import { taskStructSize } from './task-struct';

/**
 * What the kernel does with a field when it uses the object:
 * `list` is unlinked, `pointer` is followed if it is not null, `refcount` is checked and counted,
 * `usage` is a count that must reach zero, `rwsem` must be free to be taken. All other bytes are data that
 * nobody checks.
 */
export type FieldKind = 'list' | 'pointer' | 'refcount' | 'usage' | 'rwsem';

export interface ObjectField {
  readonly name: string;
  readonly offset: number;
  readonly kind: FieldKind;
}

/** A slab object's type: its cache and the fields that matter when it is damaged. */
export interface ObjectType {
  readonly cache: string;
  /** Bytes. */
  readonly size: number;
  readonly hwcacheAlign?: boolean;
  readonly fields: readonly ObjectField[];
}

const fields = (kind: FieldKind, at: Readonly<Record<string, number>>): ObjectField[] =>
  Object.entries(at).map(([name, offset]) => ({ name, offset, kind }));

/**
 * The objects that belong to a task, an open file or an address space. Order and kind of the fields are
 * those of 6.1's headers; sizes and offsets are estimates for a small configuration (no slabinfo of the
 * recorded guests exists), and the same ones serve for every version.
 */
export const OBJECT_TYPES = {
  signal_struct: {
    cache: 'signal_cache',
    size: 960,
    hwcacheAlign: true,
    fields: [
      ...fields('refcount', { sigcnt: 0 }),
      ...fields('list', { thread_head: 16, 'wait_chldexit.head': 40, 'shared_pending.list': 64 }),
      ...fields('pointer', { tty: 416 }),
    ],
  },
  sighand_struct: {
    cache: 'sighand_cache',
    size: 2080,
    hwcacheAlign: true,
    fields: [...fields('refcount', { count: 4 }), ...fields('list', { 'signalfd_wqh.head': 16 })],
  },
  pid: {
    cache: 'pid',
    size: 112,
    hwcacheAlign: true,
    fields: [
      ...fields('refcount', { count: 0 }),
      ...fields('pointer', { 'tasks[PIDTYPE_PID]': 16, 'numbers[0].ns': 104 }),
      ...fields('list', { 'wait_pidfd.head': 64 }),
    ],
  },
  cred: {
    cache: 'cred_jar',
    size: 168,
    hwcacheAlign: true,
    fields: [
      ...fields('usage', { usage: 0 }),
      ...fields('pointer', { user: 128, user_ns: 136, ucounts: 144, group_info: 152 }),
    ],
  },
  kthread: { cache: 'kmalloc-96', size: 96, fields: [] },
  mm_struct: {
    cache: 'mm_struct',
    size: 832,
    hwcacheAlign: true,
    fields: [
      ...fields('refcount', { mm_count: 80 }),
      ...fields('pointer', { 'mm_mt.ma_root': 8, pgd: 72, exe_file: 640 }),
      ...fields('rwsem', { mmap_lock: 104 }),
    ],
  },
  maple_node: {
    cache: 'maple_node',
    size: 256,
    hwcacheAlign: true,
    fields: fields('pointer', {
      parent: 0,
      'slot[0]': 128,
      'slot[1]': 136,
      'slot[2]': 144,
      'slot[3]': 152,
    }),
  },
  files_struct: {
    cache: 'files_cache',
    size: 640,
    hwcacheAlign: true,
    fields: [
      ...fields('refcount', { count: 0 }),
      ...fields('pointer', { fdt: 32, 'fd_array[0]': 160 }),
    ],
  },
  shmem_inode: {
    cache: 'shmem_inode_cache',
    size: 600,
    fields: [
      ...fields('list', { swaplist: 40 }),
      ...fields('pointer', { i_op: 120, i_sb: 128, i_mapping: 136 }),
      ...fields('rwsem', { i_rwsem: 240 }),
      ...fields('refcount', { i_count: 392 }),
      ...fields('pointer', { i_fop: 408, 'i_pages.xa_head': 448, a_ops: 520 }),
    ],
  },
} as const satisfies Readonly<Record<string, ObjectType>>;

/** Offset of mm->pgd, the linear address of the first table. */
export const MM_PGD = 72n;

export type ObjectName = keyof typeof OBJECT_TYPES;

/** The fields with their offsets as addresses are reckoned. */
const FIELDS = Object.fromEntries(
  Object.entries<ObjectType>(OBJECT_TYPES).map(([name, { fields: all }]) => [
    name,
    all.map(({ offset, kind }) => ({ at: BigInt(offset), kind })),
  ]),
) as unknown as Readonly<
  Record<ObjectName, readonly { readonly at: bigint; readonly kind: FieldKind }[]>
>;

/** The caches a machine starts with: those of its objects, and kmalloc()'s. */
export function cacheOptions(config: KernelConfig): KmemCacheOptions[] {
  const types: readonly ObjectType[] = Object.values(OBJECT_TYPES);
  const kmalloc = [64, 96, 128, 192, 256, 512, 1024];
  return [
    { name: 'task_struct', size: taskStructSize(config), align: 64 },
    ...types
      .filter(({ cache }) => !cache.startsWith('kmalloc-'))
      .map(({ cache, size, hwcacheAlign }) => ({ name: cache, size, hwcacheAlign })),
    ...kmalloc.map((size) => ({ name: `kmalloc-${size}`, size })),
  ];
}

/** What a pointer field of a new object points to: an object that is always there. */
const rootObject = (m: Machine): VirtAddr => offsetBy(m.perCpu, 2048n);

/** kmem_cache_zalloc() and the constructor's work; null if there is no memory. */
export function newObject(m: Machine, name: ObjectName): VirtAddr | null {
  const type: ObjectType = OBJECT_TYPES[name];
  const object = m.allocObject(type.cache);
  if (object === null) return null;
  m.fill(object, type.size, 0);
  for (const { at: offset, kind } of FIELDS[name]) {
    const at = offsetBy(object, offset);
    if (kind === 'list') {
      m.store64(at, at);
      m.store64(offsetBy(at, 8n), at);
    } else if (kind === 'pointer') m.store64(at, rootObject(m));
    else if (kind !== 'rwsem') m.store32(at, 1);
  }
  return object;
}

/**
 * Uses every field of an object once, as taking it and putting it again does.
 *
 * @returns false if the caller can never get on: it waits for a lock that nobody holds
 */
export function useObject(m: Machine, name: ObjectName, object: VirtAddr): boolean {
  for (const { at: offset, kind } of FIELDS[name]) {
    const at = offsetBy(object, offset);
    if (kind === 'list') unlink(m, at);
    else if (kind === 'pointer') follow(m, at);
    else if (kind === 'refcount') count(m, at);
    else if (kind === 'usage') putUsage(m, at);
    else if (!takeRwsem(m, at)) return false;
  }
  return true;
}

/** list_del_init() */
function unlink(m: Machine, at: VirtAddr): void {
  const prevAt = offsetBy(at, 8n);
  const next = m.load64(at);
  const prev = m.load64(prevAt);
  m.store64(offsetBy(next, 8n), prev);
  m.store64(prev, next);
  m.store64(at, at);
  m.store64(prevAt, at);
}

function follow(m: Machine, at: VirtAddr): void {
  const pointer = m.load64(at);
  if (pointer !== 0n) m.load64(pointer);
}

/** refcount_inc() and refcount_dec(): they warn of saturation and of use after free (lib/refcount.c). */
function count(m: Machine, at: VirtAddr): void {
  const value = m.load32(at) | 0;
  if (value < 0) m.warn('lib/refcount.c:22', 'refcount_warn_saturate+0x5b/0xda');
  else if (value === 0) m.warn('lib/refcount.c:25', 'refcount_warn_saturate+0x7a/0xda');
  m.store32(at, value >>> 0);
}

/** put_cred() and put_cred_rcu(): a count that went below zero is a panic, one that stays above leaks. */
function putUsage(m: Machine, at: VirtAddr): void {
  const value = (m.load32(at) | 0) - 1;
  m.store32(at, value >>> 0);
  if (value < 0) m.panic(`CRED: put_cred_rcu() sees ${at.toString(16)} with usage ${value}`);
}

/** down_write(): a count that says somebody holds it makes the caller wait; a negative one warns first. */
function takeRwsem(m: Machine, at: VirtAddr): boolean {
  const value = BigInt.asIntN(64, m.load64(at));
  if (value < 0n) m.warn('kernel/locking/rwsem.c:245', 'rwsem_read_trylock+0x14/0x4b');
  return value === 0n || value < 0n;
}
