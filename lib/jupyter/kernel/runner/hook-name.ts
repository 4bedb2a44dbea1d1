/** The name under which compiled cells reach the runner. */
export const HOOKS = '$kernel';
