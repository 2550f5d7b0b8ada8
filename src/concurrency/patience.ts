/** How long disks and locks are waited for, in milliseconds. */
export interface Patience {
  /** For a look at a disk, and for a document that is read from it. */
  look: number;
  /** For whatever changes a disk, syncs it, or reads chunks. The kernel itself gives a request to a device as long. */
  work: number;
  /** After this, whoever waits is told what for. */
  notice: number;
  /** How long at a time a change of the disks keeps commits out of its way. */
  gate: number;
}

/** A disk that has not answered after so many milliseconds counts as hanging, if nothing else is set. */
export const PATIENCE_MS = 5000;

/** All that is waited for, in proportion to the patience for a look. */
export function patienceOf(look: number = PATIENCE_MS): Patience {
  return { look, work: 6 * look, notice: 0.6 * look, gate: 2 * look };
}

const LONGEST_TICK_MS = 1000;

/** What `answerWithin` gives when the time is up. */
export const NO_ANSWER = Symbol('no answer');

export interface Waiting extends Pick<Patience, 'notice'> {
  /** In all. */
  milliseconds: number;
  /** Called once, when `notice` is over. */
  onNotice: () => void;
  /** Once aborted, patience is at its end within a second, or after `grace`. */
  hurry?: AbortSignal | undefined;
  /** So many milliseconds are waited once in a hurry, for what may take longer than a second although nothing hangs. */
  grace?: number | undefined;
  /** Asked at every part of the time: whether what is waited for is only busy. Then that part counts a tenth. */
  isBusy?: (() => boolean) | undefined;
}

/**
 * The promise's outcome, or `NO_ANSWER` when the time is up; whatever comes later is nobody's concern then. The time is
 * counted in small parts, so that a process that was stopped for an hour does not take its own absence for the disk's.
 */
export async function answerWithin<T>(
  promise: Promise<T>,
  { milliseconds, notice, onNotice, hurry, grace = 0, isBusy }: Waiting,
): Promise<T | typeof NO_ANSWER> {
  const tick = Math.min(notice / 3, LONGEST_TICK_MS);
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<typeof NO_ANSWER>((resolve) => {
    let waited = 0;
    let hurried = 0;
    let isNoticed = false;
    const wait = (): void => {
      timer = setTimeout(() => {
        waited += isBusy?.() === true ? tick / 10 : tick;
        if (!isNoticed && waited >= notice) {
          isNoticed = true;
          onNotice();
        }
        if (hurry?.aborted === true) hurried += tick;
        const isAtEnd = hurry?.aborted === true && hurried >= grace;
        if (waited >= milliseconds || isAtEnd) resolve(NO_ANSWER);
        else wait();
      }, tick);
    };
    wait();
  });
  try {
    return await Promise.race([promise, patience]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => undefined);
  }
}
