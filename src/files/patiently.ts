import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, isShortage } from '../errors.ts';

/** A shortage is waited for so many times, with pauses that double up to the longest: a second in all. */
const TRIES = 14;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 128;

/**
 * Makes a system call again where this process was short of something (descriptors, memory) or was interrupted: others
 * of its calls give back what they have meanwhile. Not for a sync: the system may have dropped what it failed to write.
 */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1, pause = FIRST_PAUSE_MS; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const errno = errnoOf(error);
      // A file that another program has a lease on says EAGAIN until that has been given up.
      if (tries === TRIES || !(isShortage(error) || errno === 'EAGAIN')) throw error;
      if (errno === 'EINTR') continue;
      // The random part keeps those who wait from asking in step.
      await sleep(pause * (0.5 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }
}
