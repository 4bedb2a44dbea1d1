import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const MEGABYTE = 2 ** 20;
/** Garbage worth collecting in a pause, and at once. */
const PAUSE_MEGABYTES = 25;
const LIMIT_MEGABYTES = 50;
const PAUSE_MS = 100;

/**
 * Every cell leaves a program behind that nobody needs any more. V8 would let hundreds of
 * megabytes of them pile up before it looks.
 */
export class Housekeeper {
  private readonly collect: () => void;
  private live = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor() {
    setFlagsFromString('--expose-gc');
    this.collect = runInNewContext('gc') as () => void;
  }

  /** Something has been done. */
  note(): void {
    clearTimeout(this.timer);
    const garbage = getHeapStatistics().used_heap_size / MEGABYTE - this.live;
    if (garbage < PAUSE_MEGABYTES) return;
    const wait = garbage < LIMIT_MEGABYTES ? PAUSE_MS : 0;
    this.timer = setTimeout(() => {
      this.collect();
      this.live = getHeapStatistics().used_heap_size / MEGABYTE;
    }, wait);
  }
}
