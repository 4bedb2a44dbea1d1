import assert from 'node:assert/strict';
import { experiment } from '../../../lib/experiments';
import { endOfStackOffset, kernelConfig, PT_REGS_SIZE } from '../../../lib/stack/config';
import { Machine } from '../../../lib/stack/machine';
import { overrun } from '../../../lib/stack/overrun';
import { startProbe } from '../../../lib/stack/probe';
import { publishedTrace } from '../../../lib/stack/published-traces';
import { stackContents } from '../../../lib/stack/stack-contents';
import { traceParts, type Part } from '../../../lib/stack/trace-parts';
import type { Claim } from '../claim';
import { commitIn, constant, mail, report, versionFact } from '../facts';

const KB8 = kernelConfig('8k');

const is314 = () => assert.deepEqual([KB8.version, versionFact('3.14').order], ['3.14', 1]);

const partOf01 = (part: Part) =>
  traceParts(publishedTrace('01')).find((one) => one.part === part)!.bytes;

export const CLAIMS: readonly Claim[] = [
  {
    says: 'Until 3.14 a thread on x86-64 had 8192 bytes',
    source: 'fact sheet, kernel stacks 1: THREAD_SIZE_ORDER in the trees of 3.14 and 3.15',
    holds: () => {
      assert.deepEqual([versionFact('3.14').order, versionFact('3.15').order], [1, 2]);
      assert.equal(KB8.THREAD_SIZE, 8192);
    },
  },
  {
    says: 'Boot a 3.14 machine with 64 MB',
    source: 'the model',
    holds: () => {
      is314();
      assert.equal(new Machine(KB8).memory.size, 64 * 2 ** 20);
    },
  },
  {
    says: '**`pt_regs`**, 168 bytes: the 21 registers',
    source: 'fact sheet, kernel stacks 2',
    holds: () => assert.deepEqual([constant('sizeof(struct pt_regs)'), PT_REGS_SIZE], [21 * 8, 168]),
  },
  {
    says: '440 bytes, from offset 7752 up',
    source: 'the model',
    holds: () => {
      const machine = new Machine(KB8);
      const items = stackContents(machine, startProbe(machine, 0)!.task);
      const unused = items.find(({ kind }) => kind === 'unused')!;
      assert.equal(unused.offset + unused.bytes, 7752);
      assert.equal(8192 - 7752, 440);
      assert.equal(unused.bytes, 7640);
    },
  },
  {
    says: '| offset | bytes | field (3.14) |',
    source: 'fact sheet, kernel stacks 1.1: the struct of 3.14, compiled',
    holds: () => {
      is314();
      const rows = KB8.threadInfo.fields.map(({ name, offset, size }) => [offset, size, name]);
      assert.deepEqual(rows, [
        [0, 8, 'task'],
        [8, 8, 'exec_domain'],
        [16, 4, 'flags'],
        [20, 4, 'status'],
        [24, 4, 'cpu'],
        [28, 4, 'saved_preempt_count'],
        [32, 8, 'addr_limit'],
        [40, 8, 'restart_block.fn'],
        [48, 40, 'restart_block'],
        [88, 8, 'sysenter_return'],
        [96, 4, 'sig_on_uaccess_error, uaccess_err'],
      ]);
      assert.equal(versionFact('3.14').threadInfo, 104);
    },
  },
  {
    says: '| 104 | 8 | `STACK_END_MAGIC` | 0x57AC6E9D',
    source: 'fact sheet, kernel stacks 1.2: include/uapi/linux/magic.h',
    holds: () => {
      assert.equal(String(constant('STACK_END_MAGIC')).toLowerCase(), '0x57ac6e9d');
      assert.equal(endOfStackOffset(KB8), 104);
    },
  },
  {
    says: 'So 8192 − 104 − 8 = 8080 bytes are usable',
    source: 'fact sheet, kernel stacks 1.1',
    holds: () => assert.deepEqual([KB8.usable, constant('usable bytes, 8 KB stack of 3.14')], [8080, 8080]),
  },
  {
    says: 'In the log that came with CVE-2016-1583 (Linux 4.4, 16 KB stacks) a garbage `cpu` sent `cpuacct_charge()`',
    source: 'fact sheet, kernel stacks 8',
    holds: () => {
      const { kernel, stackKb, what } = report('CVE-2016-1583');
      assert.deepEqual([kernel, stackKb], ['4.4', 16]);
      assert.match(what, /thread_info\.cpu was garbage, RIP in cpuacct_charge.*Fatal exception in interrupt/);
    },
  },
  {
    says: 'Silent is not harmless: the public exploit for CVE-2010-3848 (2.6.32, 8 KB stacks) wrote its own address into `restart_block.fn`, offset 40',
    source: 'fact sheet, kernel stacks 8',
    holds: () => {
      const { kernel, stackKb, what } = report('CVE-2010-3848');
      assert.deepEqual([kernel, stackKb], ['2.6.32', 8]);
      assert.match(what, /restart_block\.fn at offset 40.*restart_syscall/);
    },
  },
  {
    says: '`cpu` is used when the thread is woken: `try_to_wake_up()` looks for the run queue of that CPU',
    source: 'kernel/sched/core.c, read in the trees of 3.10 and 3.12; the model',
    holds: () => {
      const { outcome, phase, machine, console: lines } = overrun({ era: '8k', poke: -24 });
      assert.deepEqual([outcome, phase, machine], ['delayed', 'wake', 'panic']);
      const said = lines.join('\n');
      assert.match(said, /PID: 1 Comm: sh /);
      assert.match(said, /RIP.* try_to_wake_up\+/);
      assert.match(said, /Attempted to kill init!/);
    },
  },
  {
    says: 'The kernel parks it for ever (`Fixing recursive fault but reboot is needed!`), and the rest goes on.',
    source: 'kernel/exit.c, do_exit(), read in the trees of 3.10 and 3.12; the model',
    holds: () => {
      const { machine, task, console: lines } = overrun({ era: '8k', poke: -8 });
      assert.deepEqual([machine, task], ['alive', 'killed']);
      assert.match(lines.join('\n'), /RIP.* do_exit\+/);
      assert.equal(lines.at(-1), 'Fixing recursive fault but reboot is needed!');
    },
  },
  {
    says: 'The end marker is there to be looked at, and in 3.14 hardly anybody does.',
    source: 'the model: the scheduler has looked at it since a later version, and only if configured',
    holds: () => {
      for (const offset of [104, 40, 32])
        assert.equal(overrun({ era: '8k', poke: -offset }).outcome, 'silent');
    },
  },
  {
    says: 'In 4.4 `cpu` lies at offset 16.',
    source: 'fact sheet, kernel stacks 1.1',
    holds: () => {
      const config = kernelConfig('16k', { kernel: '4.4' });
      assert.equal(config.threadInfo.fields.find(({ name }) => name === 'cpu')!.offset, 16);
    },
  },
  {
    says: 'it holds the lock of the run queue, and its last act is to schedule again.',
    source: 'kernel/sched/cpuacct.c and core.c, up to commit 73e6aafd9ea8; the model',
    holds: () => {
      const { outcome, machine, console: lines } = overrun({
        era: '16k',
        kernel: '4.4',
        poke: -16,
        cpuacct: true,
      });
      assert.deepEqual([outcome, machine], ['immediate', 'hang']);
      assert.match(lines.join('\n'), /RIP.* cpuacct_charge\+/);
    },
  },
  {
    says: 'computed `kernel_stack` + 40 − 8192 (3.14)',
    source: 'fact sheet, kernel stacks 1.1: KERNEL_STACK_OFFSET 5*8 in 3.14',
    holds: is314,
  },
  {
    says: 'In 4.9 `thread_info` moved into `task_struct` (commits c65eacbe290b and 15f4eae70d36)',
    source: 'fact sheet, kernel stacks 5',
    holds: () => {
      commitIn('c65eacbe290b', '4.9');
      commitIn('15f4eae70d36', '4.9');
      assert.equal(kernelConfig('16k', { kernel: '4.9' }).THREAD_INFO_IN_TASK, true);
      assert.equal(kernelConfig('16k', { kernel: '4.4' }).THREAD_INFO_IN_TASK, false);
    },
  },
  {
    says: 'Twelve fit, most of them barely',
    source: 'the published traces',
    holds: () => {
      const { rows } = experiment('trace-depths').run({}, 1).table;
      const left = rows.filter(({ kind }) => kind !== 'limit').map(({ left8k }) => Number(left8k));
      assert.equal(left.filter((bytes) => bytes >= 0).length, 12);
      assert.ok(left.filter((bytes) => bytes >= 0 && bytes < 1000).length > 6);
    },
  },
  {
    says: 'until he built its 2.6.33 with larger stacks',
    source: 'mail 4BBF2F18.10507@humyo.com',
    holds: () => {
      assert.match(mail('4BBF2F18.10507@humyo.com').what, /2\.6\.33 with XFS that needs 16 KB stacks/);
      for (const id of ['04', '05', '12']) assert.equal(publishedTrace(id).stackSize, 16384);
    },
  },
  {
    says: 'with the patch that became 6538b8ea886e, the step to 16 KB in 3.15',
    source: 'fact sheet, kernel stacks 3',
    holds: () => commitIn('6538b8ea886e', '3.15'),
  },
  {
    says: 'The bar above has 1184, 1408 (with the thread\'s entry), 3000, 752 and 904 bytes',
    source: 'trace 01, functions assigned by name',
    holds: () => {
      assert.deepEqual(
        [
          partOf01('file system'),
          partOf01('writeback') + partOf01('entry and VFS'),
          partOf01('memory management'),
          partOf01('block layer'),
          partOf01('drivers'),
        ],
        [1184, 1408, 3000, 752, 904],
      );
    },
  },
  {
    says: 'the file system about 1 kB, writeback above it about as much, allocation and reclaim about twice that',
    source: 'mail 20140529072633.GH6677@dastard',
    holds: () =>
      assert.match(
        mail('20140529072633.GH6677@dastard').what,
        /filesystem about 1 kB, writeback as much, reclaim twice that/,
      ),
  },
  {
    says: 'In trace 08 the interrupt ends 8 bytes above the end marker',
    source: 'trace 08 and the model',
    holds: () => {
      assert.equal(8192 - publishedTrace('08').maxDepth, 288);
      const { rsp, stackBase, outcome } = overrun({ era: '8k', irq: 288, neighbour: 'stack' });
      assert.deepEqual([Number(rsp - stackBase), outcome], [104 + 8 + 8, 'none']);
    },
  },
  {
    says: '`asm_common_interrupt` is a frame of 136 bytes',
    source: 'trace 13',
    holds: () => {
      const frame = publishedTrace('13').entries.find(({ fn }) => fn === 'asm_common_interrupt')!;
      assert.equal(frame.size, 136);
    },
  },
  {
    says: 'The `thread_info` of 4.4 was read in a tree with the real-time patch',
    source: 'fact sheet, kernel stacks 1.1 and 13',
    holds: () => {
      const { tree, threadInfo } = versionFact('4.4');
      assert.match(tree, /-rt/);
      assert.deepEqual([threadInfo, kernelConfig('16k', { kernel: '4.4' }).threadInfo.size], [40, 40]);
    },
  },
  {
    says: 'Every version saves the whole `pt_regs` at an interrupt. 3.14 saved fewer registers for some of them',
    source: 'fact sheet, kernel stacks 2: SAVE_ARGS_IRQ in entry_64.S of 3.14',
    holds: () => {
      const { rsp, stackBase } = overrun({ era: '8k', irq: 496, neighbour: 'stack' });
      assert.equal(496 - Number(rsp - stackBase), PT_REGS_SIZE);
    },
  },
  {
    says: 'trace 03 gives `alloc_pages_current()` the 352 bytes that trace 01 gives `__alloc_pages_nodemask()`',
    source: 'traces 01 and 03',
    holds: () => {
      const sizes = (id: string, fn: string) =>
        publishedTrace(id).entries.filter((one) => one.fn === fn).map(({ size }) => size);
      assert.ok(sizes('03', 'alloc_pages_current').includes(352));
      assert.deepEqual(sizes('01', '__alloc_pages_nodemask'), [352, 352]);
    },
  },
  {
    says: 'include/uapi/linux/magic.h in 3.14',
    source: 'fact sheet, kernel stacks 1.2',
    holds: () => assert.match(String(constant('STACK_END_MAGIC')), /^0x57ac6e9d$/i),
  },
];
