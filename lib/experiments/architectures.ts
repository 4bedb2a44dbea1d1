import { sinceVersion } from '../mm/kernel-version';
import { HAVE_ARCH_VMAP_STACK_SINCE, type Arch } from '../stack/architectures';
import { kconfig } from '../stack/kconfig';
import { defineExperiment } from './experiment';
import { EVIDENCE, type Row } from './table';

/** Versions whose trees were read for it. */
const VERSIONS = ['4.9', '4.14', '4.20', '5.3', '5.7', '5.14', '5.17', '5.19', '6.8', '6.19'];
/** Known of x86 before the others; read in the trees in which the list changed. */
const ARCHES = Object.keys(HAVE_ARCH_VMAP_STACK_SINCE) as Arch[];

/** `npx guardpage experiment architectures` */
export const architectures = defineExperiment({
  name: 'architectures',
  title: 'Who can have vmalloc’ed stacks',
  question: 'Which architecture selects HAVE_ARCH_VMAP_STACK, and since which version?',
  parameters: {},
  notes: [
    'Recorded: the `select` lines of the source trees of the versions named. Between the tree before and the one in which an architecture first has it lie releases that were not read: riscv (5.7 to 5.14), um (5.14 to 5.17) and powerpc (5.3 to 5.7) may have it a little earlier than drawn. riscv needs 64 bits and an MMU for it. The seed changes nothing.',
    'Kernel: the rules of Kconfig as this library works them out, which refuse VMAP_STACK=y where the architecture does not select the other option.',
  ],
  table: () => ({
    columns: [
      EVIDENCE,
      { key: 'arch', label: 'architecture' },
      { key: 'version', label: 'kernel' },
      { key: 'have', label: 'HAVE_ARCH_VMAP_STACK' },
      { key: 'vmap', label: 'VMAP_STACK' },
    ],
    rows: ARCHES.flatMap((arch) =>
      VERSIONS.map((version): Row => {
        const since = HAVE_ARCH_VMAP_STACK_SINCE[arch];
        return {
          evidence: 'recorded',
          arch,
          version,
          have: since !== null && sinceVersion(version, since) ? 'selected' : 'not selected',
          vmap: kconfig({ arch, version }).value('VMAP_STACK'),
        };
      }),
    ),
  }),
});
