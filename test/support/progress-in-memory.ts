/** Notebooks that tests run have the learner seed of the stored ones, and leave the learner's progress alone. */
process.env.GUARDPAGE_PROGRESS = 'memory';
