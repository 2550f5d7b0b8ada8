import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isStoreError, StoreError, type GetResult, type ObjectMeta } from '../../index.ts';
import { openDevice } from '../input/device.ts';
import { targetError } from '../input/target.ts';
import type { Io } from '../terminal/io.ts';

/** Writes an object to a stream, in order and no faster than it takes. */
async function copyTo(to: Promise<Writable> | Writable, { body }: GetResult, io: Io, end: boolean): Promise<void> {
  // While what it goes to is being opened, nobody else listens; the pipeline tells of it.
  body.on('error', () => undefined);
  try {
    await pipeline(body, await to, { end });
  } catch (error) {
    body.destroy();
    if (io.signal.aborted) throw new StoreError('ABORTED', 'interrupted', {}, error);
    throw error;
  }
}

/** The same to something that stands there and must stay, such as a device or FIFO. @throws TARGET_IO */
export async function copyToDevice(file: string, object: GetResult, io: Io): Promise<ObjectMeta> {
  try {
    await copyTo(openDevice(file, io.signal), object, io, true);
    return object.meta;
  } catch (error) {
    if (isStoreError(error)) throw error;
    throw targetError(file, error);
  }
}

/** The same to standard output: whoever closes the pipe has had enough. */
export async function copyToOutput(object: GetResult, io: Io): Promise<void> {
  try {
    await copyTo(io.stdout.stream, object, io, false);
  } catch (error) {
    if (isStoreError(error) || !io.stdout.broken) throw error;
  }
}
