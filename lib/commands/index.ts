import type { Command } from 'commander';
import { register as registerAgreement } from './agreement';
import { register as registerExperiment } from './experiment';
import { register as registerLab } from './lab';
import { register as registerOverrun } from './overrun';
import { register as registerRead } from './read';
import { register as registerReplay } from './replay';
import { register as registerReproduce } from './reproduce';
import { register as registerReset } from './reset';
import { register as registerWalk } from './walk';

/** Adds one command to the program; `exit` sets the exit code if it is not 0. */
export type Register = (program: Command, exit: (code: number) => void) => void;

/** One line a command: keep them in the order of the help text. */
export const commands: readonly Register[] = [
  registerLab,
  registerReset,
  registerWalk,
  registerReplay,
  registerOverrun,
  registerExperiment,
  registerAgreement,
  registerRead,
  registerReproduce,
];
