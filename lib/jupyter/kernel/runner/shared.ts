/** Places in the array that the runner's two threads share. */

/** Characters printed and not yet taken by the kernel. */
export const OUTSTANDING = 0;
/** Counts the answers that came, for a main thread that waits for one. */
export const WAKE = 1;
/** Set by the main thread when it has received an interrupt. */
export const ACKNOWLEDGED = 2;

/** Not 0: loops at the top of a cell are to stop. */
export const STOP = 3;

export const SHARED_LENGTH = 4;

/** How many characters may be outstanding before whoever prints has to wait. */
export const OUTSTANDING_LIMIT = 4 * 1024 * 1024;
