import type { VirtAddr } from '../x86/addr';
import type { KmemCache } from '../mm/slab';
import { endOfStackOffset } from './config';
import type { Machine } from './machine';
import { OBJECT_TYPES, type ObjectType } from './objects';
import { stackTop, type Task } from './task';
import { TASK } from './task-struct';

/** What some bytes of memory are, as the kernel's own sources would call them. */
export interface NamedBytes {
  /** Lowest address. */
  readonly address: VirtAddr;
  readonly size: number;
  /** Whose they are: `frames of kstk/5, asleep`. */
  readonly owner: string;
  /** The field or word: `addr_limit`, `return address: schedule+0x5a/0xd0`. */
  readonly name: string;
}

const PAGE = 4096n;
const WORD = 8;
const ENTRIES = 512;

/**
 * Names of the bytes around the lowest page of a task's stack: end marker and thread_info at its bottom, and
 * what lies in the page below, if one is mapped there. Read from the machine as it is, lowest address
 * first. What the model gives no meaning (the data of a program) is one name for the page.
 */
export function namesAround(m: Machine, task: Task): NamedBytes[] {
  return [...namesBelow(m, task.stack - PAGE), ...bottomNames(m, task)];
}

function bottomNames(m: Machine, { stack, comm }: Task): NamedBytes[] {
  const { config } = m;
  const owner = `bottom of the stack of ${comm}`;
  const end = endOfStackOffset(config);
  const fields = config.THREAD_INFO_IN_TASK ? [] : config.threadInfo.fields;
  return [
    ...fields.map(({ name, offset, size }) => ({
      address: stack + BigInt(offset),
      size,
      owner: 'thread_info',
      name,
    })),
    { address: stack + BigInt(end), size: WORD, owner: 'end marker', name: 'STACK_END_MAGIC' },
    {
      address: stack + BigInt(end + WORD),
      size: Number(PAGE) - end - WORD,
      owner,
      name: 'room for frames',
    },
  ];
}

function namesBelow(m: Machine, page: VirtAddr): NamedBytes[] {
  const pa = m.frameOf(page);
  if (pa === null) return [];
  const whole = (owner: string, name: string) => [
    { address: page, size: Number(PAGE), owner, name },
  ];
  switch (m.pageAllocator.pageInfo.classOf(Number(pa >> 12n))) {
    case 'stack':
      return stackNames(m, page);
    case 'slab':
      return slabNames(m, page);
    case 'pagetable':
      return words(page, PAGE, (_, i) => ({
        owner: 'page table of a program',
        name: `entry ${i} of ${ENTRIES}`,
      }));
    case 'anon':
      return whole('memory of a program', 'its data');
    case 'file':
      return whole('page cache', 'contents of a file');
    case 'free':
    case 'pcp':
      return whole('free page', 'nobody’s');
    default:
      return whole('other kernel memory', 'its data');
  }
}

function words(
  from: VirtAddr,
  bytes: bigint,
  describe: (address: VirtAddr, index: number) => { owner: string; name: string },
): NamedBytes[] {
  return Array.from({ length: Number(bytes) / WORD }, (_, index) => {
    const address = from + BigInt(WORD * index);
    return { address, size: WORD, ...describe(address, index) };
  });
}

/** A word above the saved RSP that points into the kernel's text is what somebody will return to. */
function stackNames(m: Machine, page: VirtAddr): NamedBytes[] {
  const task = m.tasks.find((one) => one.stack <= page && page < stackTop(m, one));
  if (!task) return words(page, PAGE, () => ({ owner: 'cached stack', name: 'no thread’s' }));
  const rsp = m.peek64(task.taskStruct + TASK.THREAD_SP) ?? 0n;
  return words(page, PAGE, (address) => {
    if (address < rsp) {
      return { owner: `stack of ${task.comm}, not in use`, name: 'below its saved RSP' };
    }
    const owner = `frames of ${task.comm}, asleep`;
    const value = m.peek64(address) ?? 0n;
    return m.text.find(value)
      ? { owner, name: `return address: ${m.text.symbolizeReturn(value)}` }
      : { owner, name: 'saved register or local' };
  });
}

function slabNames(m: Machine, page: VirtAddr): NamedBytes[] {
  const cache = [...m.caches.values()].find((one) => one.holds(page));
  if (!cache) return words(page, PAGE, () => ({ owner: 'slab', name: 'its data' }));
  const { size, offset } = cache.layout;
  const free = cache.freeObjects((at) => m.peek64(at));
  const slab =
    cache
      .slabAddresses()
      .filter((start) => start <= page)
      .pop() ?? page;
  const names = fieldNames(cache);
  return words(page, PAGE, (address) => {
    const index = Number(address - slab) / size;
    const object = slab + BigInt(Math.floor(index) * size);
    const at = Number(address - object);
    if (index >= Math.floor((4096 << cache.layout.order) / size)) {
      return { owner: `${cache.name} slab`, name: 'left over' };
    }
    if (free.has(object)) {
      return {
        owner: `${cache.name}, free object`,
        name: at === offset ? 'pointer to the next free object' : 'nobody’s',
      };
    }
    return { owner: `${cache.name}, object in use`, name: names.get(at) ?? `byte ${at}` };
  });
}

/** Field names of a cache's objects by the word they lie in. */
function fieldNames({ name }: KmemCache): Map<number, string> {
  const names = new Map<number, string>();
  const put = (field: string, offset: number) => names.set(offset - (offset % WORD), field);
  if (name === 'task_struct') {
    for (const [field, offset] of Object.entries(TASK)) put(field.toLowerCase(), Number(offset));
    return names;
  }
  const types: readonly ObjectType[] = Object.values(OBJECT_TYPES);
  for (const { name: field, offset, kind } of types.find(({ cache }) => cache === name)?.fields ??
    []) {
    put(field, offset);
    if (kind === 'list') names.set(offset + WORD, `${field}.prev`);
  }
  return names;
}
