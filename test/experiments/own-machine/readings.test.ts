import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMachineText } from '../../../lib/experiments/own-machine/read-machine-text';
import { readBuddyinfo } from '../../../lib/experiments/own-machine/read-buddyinfo';
import { readOops } from '../../../lib/experiments/own-machine/read-oops';
import { readStackTrace } from '../../../lib/experiments/own-machine/read-stack-trace';
import { readVmallocinfo } from '../../../lib/experiments/own-machine/read-vmallocinfo';
import { sample, SAMPLES } from '../../../lib/experiments/own-machine/samples';
import { stackTraceText } from '../../../lib/stack/stack-trace-text';
import { machineFigure } from '../../../lib/figures/machine-figure';
import { fragmentationIndex, unusableFreeIndex } from '../../../lib/mm/compaction';
import { PageAllocator } from '../../../lib/mm/page-allocator';
import { kernelConfig } from '../../../lib/stack/config';
import { overrun, type OverrunOptions } from '../../../lib/stack/overrun';
import { PUBLISHED_TRACES, publishedTrace } from '../../../lib/stack/published-traces';
import { buildScene } from '../../../lib/stack/scene';
import { PhysMemory } from '../../../lib/x86/phys-memory';
import { Random } from '../../../lib/random';

const CONSOLE = join(__dirname, '..', '..', 'fixtures', 'console');
const BOOTS = readdirSync(CONSOLE).filter((name) => /^stock_.*\.txt$/.test(name));

describe('an oops of a recorded boot', () => {
  for (const file of BOOTS) {
    const text = readFileSync(join(CONSOLE, file), 'utf8');
    if (!/BUG: |Kernel panic/.test(text)) continue;

    it(`${file} is read as what the probe module did`, () => {
      const reading = readOops(text);
      const told = /KSTK (?:RUN|JUMP|poke|peek) id (\d+) pid (\d+) .* base ([0-9a-f]+)/;
      // The last command is the one that the kernel did not survive, or that its task did not.
      const commands = text.split('\n').flatMap((line) => told.exec(line) ?? []);
      const [, pid, base] = commands.slice(-3);
      assert.equal(reading.pid, Number(pid));
      assert.match(String(reading.release), /^6\.1\.0-56-amd64$/);
      assert.equal(reading.died, /STILLALIVE/.test(text) ? 'task' : 'machine');
      if (reading.event !== 'guard-hit') return;
      const stack = BigInt(`0x${base}`);
      assert.deepEqual([reading.base, reading.top], [stack, stack + 16384n]);
      assert.equal(reading.hashed, /hashed/.test(file));
      assert.equal(reading.via, reading.rsp! < stack ? '#DF' : '#PF');
      const access = /addr ([0-9a-f]+) base/.exec(text.slice(text.indexOf('KSTK p')));
      if (reading.via === '#PF') assert.equal(reading.cr2, BigInt(`0x${access![1]}`));
      else assert.equal(reading.cr2Is, 'push of the exception frame');
    });
  }
});

describe('an oops of the simulator', function () {
  this.timeout(60_000);
  const CASES: readonly (readonly [name: string, options: OverrunOptions])[] = [
    ['recursion', {}],
    ['store below', { poke: 8 }],
    ['store above', { poke: -16384 }],
  ];
  const KERNELS = ['4.9', '5.8', '5.16', '6.19'];

  it('is read as what the machine went through, in the words of every version', () => {
    for (const kernel of KERNELS) {
      for (const [name, options] of CASES) {
        const report = overrun({ era: 'vmap', kernel, ...options });
        const reading = readOops(report.console.join('\n'));
        const which = `${kernel}, ${name}: ${report.console[0]}`;
        const isHit = report.detector === 'guard-page';
        assert.equal(reading.event, isHit ? 'guard-hit' : 'page-fault', which);
        // Before 6.1 nothing is printed when the task ends, and these logs have nothing after it.
        const { notesIrqsDisabled } = kernelConfig('vmap', { kernel }).oops;
        const task = notesIrqsDisabled ? 'task' : null;
        assert.equal(reading.died, report.machine === 'alive' ? task : 'machine', which);
        assert.deepEqual([reading.rsp, reading.cr2], [report.rsp, report.cr2], which);
        if (!isHit) continue;
        assert.deepEqual(
          [reading.base, reading.top],
          [report.stackBase, report.stackBase + 16384n],
        );
        assert.equal(reading.via, name === 'recursion' ? '#DF' : '#PF', which);
        assert.equal(reading.guard, name === 'store above' ? 'above' : 'below', which);
        assert.equal(reading.release, kernel);
      }
    }
  });

  it('is read alike with hashed pointers, from the registers alone', () => {
    for (const [name, options] of CASES.slice(0, 2)) {
      const [plain, hashed] = [false, true].map((hashPointers) =>
        readOops(overrun({ era: 'vmap', hashPointers, ...options }).console.join('\n')),
      );
      const { base, top, via, rsp, cr2, died } = plain;
      assert.equal(hashed.hashed, true, name);
      assert.deepEqual(
        [hashed.base, hashed.top, hashed.via, hashed.rsp, hashed.cr2, hashed.died],
        [base, top, via, rsp, cr2, died],
      );
    }
  });

  it('is read as mails have it: long lines broken, inlined functions named before the function', () => {
    const text = overrun({ era: 'vmap' }).console.join('\n');
    const plain = readOops(text);
    for (const by of ['\n', ' \\\n']) {
      const broken = readOops(text.replace(' (stack is', `${by}(stack is`));
      assert.deepEqual([broken.base, broken.top], [plain.base, plain.top]);
    }
    const decoded = text.replace(
      /^RIP: .*$/m,
      (line) => `RIP: 0010:native_save_fl arch/x86/include/asm/irqflags.h:26 [inline]\n${line}`,
    );
    assert.equal(readOops(decoded).rip, plain.rip);
  });

  it('of a kernel with KASAN has a stack of 32 KB, also with hashed pointers', () => {
    const base = 0xffffc900007f8000n;
    const { console: lines } = overrun({ era: 'vmap', stackBase: base, hashPointers: true });
    const text = lines.join('\n').replace(/(\[#1\].*)$/m, '$1 KASAN');
    const { base: read, top } = readOops(text);
    assert.deepEqual([read, top], [base, base + 0x8000n]);
  });

  it('of another stack than a task’s is read as far as its registers go', () => {
    const text = [
      'BUG: NMI stack guard page was hit at 00000000a1b2c3d4 (stack is 0000000011112222..0000000033334444)',
      'stack guard page: 0000 [#1] PREEMPT SMP NOPTI',
      'RSP: 0000:fffffe0000012000 EFLAGS: 00010097',
      'CR2: fffffe0000011ff8 CR3: 0000000001800000 CR4: 00000000003000a0',
    ].join('\n');
    const { stackName, base, top, via } = readOops(text);
    assert.deepEqual([stackName, base, top, via], ['NMI', 0xfffffe0000012000n, null, '#DF']);
  });

  it('names a recursion and how often it is there', () => {
    const { repeated } = readOops(overrun({ era: 'vmap', frame: 1024 }).console.join('\n'));
    assert.equal(repeated?.fn, 'recurse');
    assert.ok(repeated.times > 10);
  });
});

describe('a stack trace', () => {
  it('is read back from the tracer’s text as it was published', () => {
    for (const id of PUBLISHED_TRACES) {
      const trace = publishedTrace(id);
      const reading = readStackTrace(stackTraceText(trace));
      assert.deepEqual(reading.trace.entries, [...trace.entries], id);
      assert.equal(reading.maxDepth, trace.entries[0].depth);
    }
  });

  it('leaves each era what the era’s stack has above the chain', () => {
    const { room } = readStackTrace(sample('stack_trace-writeback'));
    const usable = ['8k', '16k', 'vmap'].map((era) => kernelConfig(era as '8k').usable);
    assert.deepEqual(
      room.map(({ headroom }) => headroom),
      usable.map((bytes) => bytes - 8360),
    );
  });

  it('is read in parts, and says which part is missing', () => {
    const lines = sample('stack_trace-swap').text.split('\n');
    const said = (part: readonly string[]) => String(readMachineText(part.join('\n')));
    assert.match(said(lines.slice(0, 20)), /The last \d+ lines are missing/);
    assert.match(said([...lines.slice(0, 2), ...lines.slice(9)]), /The first 7 lines are missing/);
    const { title, alt } = machineFigure(
      readMachineText([...lines.slice(0, 2), ...lines.slice(9)].join('\n')),
    );
    assert.match(title, /^At least \d+ bytes/);
    assert.match(alt, /what is listed fits, at most \d+ bytes left/);
    const gap = [...lines.slice(0, 20), ...lines.slice(25)];
    assert.match(said(gap), /Lines are missing after number 17/);
    const twice = said([...lines, ...lines]).split('\n');
    const [said2] = twice.splice(2, 1);
    assert.match(said2, /^The text holds 2 traces; this is the first\.$/);
    assert.equal(twice.join('\n'), said(lines));
    const headless = said(lines.slice(2, 20));
    assert.match(headless, /The last lines are missing: the outermost calls/);
  });
});

describe('vmallocinfo', () => {
  it('has as many stacks as the simulated machine has, with what lies below each', () => {
    const { machine } = buildScene(kernelConfig('vmap'), { seed: 3, neighbour: 'any' });
    const reading = readVmallocinfo(machine.vmalloc.vmallocinfo());
    const real = [
      ...machine.tasks.map(({ stack }) => stack),
      machine.idleTask.stack,
      ...machine.cachedStacks,
    ].filter((stack) => machine.vmalloc.isVmallocAddr(stack));
    assert.deepEqual(new Set(reading.stacks.map(({ addr }) => addr)), new Set(real));
    for (const { addr, below } of reading.stacks) {
      if (below === null) continue;
      for (let at = 4096; at <= Math.min(below, 65536); at += 4096)
        assert.equal(machine.walk(addr - BigInt(at)).pa, null);
      assert.notEqual(machine.walk(addr - BigInt(below) - 4096n).pa, null);
    }
  });

  it('of several moments is read as the first, also where something was added below all else', () => {
    for (const name of ['vmallocinfo-idle', 'vmallocinfo-500-threads']) {
      const lines = sample(name).text.trimEnd().split('\n');
      const added = `${lines[0].replace(/0x[0-9a-f]{16}-0x[0-9a-f]{16}/, '0xffff900000000000-0xffff900000005000')}`;
      const once = readVmallocinfo(lines.join('\n'));
      const twice = readVmallocinfo([...lines, added, ...lines, '#', ...lines].join('\n'));
      assert.deepEqual([once.listings, twice.listings], [1, 3]);
      assert.match(String(twice), /^The text holds 3 listings; this is the first\.\n/);
      const { explanation } = once;
      assert.deepEqual({ ...twice, listings: 1, explanation }, { ...once, explanation });
    }
  });

  it('without addresses still has sizes and callers', () => {
    const text = sample('vmallocinfo-idle').text;
    const hashed = text.replace(/0x[0-9a-f]{16}(?=[-\s])/g, (address) => {
      const hash = (BigInt(address) * 2654435761n) & 0xffffffffn;
      return `0x${hash.toString(16).padStart(16, '0')}`;
    });
    const reading = readVmallocinfo(hashed);
    assert.equal(reading.hidden, true);
    assert.equal(reading.stacks.length, readVmallocinfo(text).stacks.length);
    assert.ok(reading.stacks.every(({ below }) => below === null));
    const twice = readVmallocinfo(hashed + hashed);
    assert.deepEqual([twice.stacks, twice.listings], [reading.stacks, 2]);
    assert.match(String(reading), /kptr_restrict/);
  });
});

describe('buddyinfo', () => {
  it('gives the indices that the allocator reckons for the same memory', () => {
    const allocator = new PageAllocator(new PhysMemory(32 * 2 ** 20), { version: '6.1' });
    const random = new Random(7);
    const taken: number[] = [];
    for (let pfn = allocator.allocPages(0); pfn !== null; pfn = allocator.allocPages(0))
      taken.push(pfn);
    for (const pfn of taken) if (random.chance(0.4)) allocator.freePages(pfn, 0);
    const { zones } = readBuddyinfo(allocator.buddyinfo());
    assert.ok(zones.length > 0);
    for (const { zone, orders, freeKb } of zones) {
      const real = allocator.zones.find(({ name }) => name === zone)!;
      assert.equal(freeKb, real.freePages * 4);
      for (const { order, unusable, fragmentation } of orders) {
        assert.equal(fragmentation, fragmentationIndex(real, order), `${zone} ${order}`);
        const exact = unusableFreeIndex(real, order);
        assert.ok(Math.abs(unusable - exact) < 0.0011, `${zone} ${order}: ${unusable}, ${exact}`);
      }
    }
  });

  it('is also read from the free lists of a recorded out-of-memory report', () => {
    const file = 'order2_A16_userfrag_park400.txt';
    const lines = readFileSync(join(CONSOLE, file), 'utf8').split('\n');
    const reports = lines.filter((line) => /DMA32: \d+\*4kB/.test(line));
    const reading = readBuddyinfo(reports[reports.length - 1]);
    assert.equal(reading.fromReport, true);
    const [zone] = reading.zones;
    assert.equal(zone.freeKb, 20332);
    assert.equal(zone.orders[2].available, 0);
    assert.ok(zone.orders[2].fragmentation > 0.7);
    const all = readBuddyinfo(reports.join('\n'));
    assert.deepEqual(all.zones, readBuddyinfo(reports[0]).zones);
    assert.equal(all.listings, reports.length);
  });

  it('of several moments is read as the first, and says how many there are', () => {
    const text = readFileSync(join(CONSOLE, 'order2_A16_userfrag_forkn.txt'), 'utf8');
    const rows = text.split('\n').filter((line) => /^Node 0, zone/.test(line));
    assert.equal(rows.length, 3);
    const [first] = rows.map((row) => readBuddyinfo(row).zones);
    const reading = readBuddyinfo(text);
    assert.deepEqual([reading.zones, reading.listings], [first, 3]);
    assert.match(String(reading), /^The text holds 3 listings; this is the first\.\n/);
    const { text: one } = sample('buddyinfo-fragmented');
    assert.deepEqual(readBuddyinfo(one + one).zones, readBuddyinfo(one).zones);
  });

  it('says how many of its lines can’t be read', () => {
    const row = (zone: string, count: string) => `Node 0, zone ${zone} ${count}`;
    const whole = row('DMA', '1 2 3');
    const counts = ['99999999999999999999999 1', '-3 1', '10.5 1', '7', '1 x'];
    counts.forEach((count, i) => {
      const reading = readBuddyinfo(
        [whole, row('Normal', count), row('Movable', count)].join('\n'),
      );
      assert.deepEqual([reading.zones.length, reading.skipped, reading.listings], [1, 2, 1], count);
      assert.match(String(reading), /^2 lines name zones but have no counts that can be read/);
      const later = readBuddyinfo([row('DMA', counts[i]), whole].join('\n'));
      assert.match(
        String(later),
        /^The text holds 2 listings; this is the first that can be read\./,
      );
    });
  });
});

describe('the samples', () => {
  it('are what their names say, each from a named machine', () => {
    for (const name of SAMPLES) {
      const one = sample(name);
      assert.equal(readMachineText(one).kind, one.kind);
      assert.ok(name.startsWith(one.kind));
      assert.ok(one.source.length > 20 && one.title.length > 5, name);
    }
    assert.throws(() => sample('none'), /^RangeError: sample: expected one of stack_trace-/);
    assert.throws(() => sample('toString'), RangeError);
  });

  it('of the consoles are in the recordings, line by line', () => {
    const recorded = BOOTS.map((file) => readFileSync(join(CONSOLE, file), 'utf8'));
    for (const name of SAMPLES.filter((one) => one.startsWith('oops'))) {
      const { text, source } = sample(name);
      const file = /\((\w+)\)$/.exec(source)![1];
      const boot = recorded[BOOTS.indexOf(`${file}.txt`)];
      for (const line of text.trimEnd().split('\n')) assert.ok(boot.includes(line), line);
    }
  });
});
