import * as fs from 'node:fs/promises';
import { constants, type WriteStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, throwIfAborted } from '../../errors.ts';

const PAUSE_MS = 50;

/**
 * Opens something that stands there and must stay, such as a device or FIFO, for writing. A FIFO waits for its reader,
 * but not in a call that could not be given up. @throws ABORTED, a system error
 */
export async function openDevice(file: string, signal: AbortSignal | undefined): Promise<WriteStream> {
  for (;;) {
    throwIfAborted(signal);
    let probe: fs.FileHandle;
    try {
      probe = await fs.open(file, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (errnoOf(error) !== 'ENXIO' || !(await fs.stat(file)).isFIFO()) throw error;
      await sleep(PAUSE_MS);
      continue;
    }
    try {
      // With a reader at the other end it does not block; and only so its writes wait for the reader.
      return (await fs.open(file, constants.O_WRONLY)).createWriteStream();
    } finally {
      await probe.close();
    }
  }
}
