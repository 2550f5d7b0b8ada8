import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isStoreError, StoreError, type GetOptions, type ObjectMeta, type ObjectStore } from '../../index.ts';
import { openDevice } from '../input/device.ts';
import { targetError } from '../input/target.ts';
import type { Io } from '../terminal/io.ts';

/** Writes an object to a stream, in order and no faster than it takes. */
async function copyTo(
  store: ObjectStore,
  bucket: string,
  key: string,
  open: () => Promise<Writable> | Writable,
  options: GetOptions,
  end: boolean,
): Promise<ObjectMeta> {
  const { meta, body } = await store.get(bucket, key, options);
  // While what it goes to is being opened, nobody else listens; the pipeline tells of it.
  body.on('error', () => undefined);
  try {
    await pipeline(body, await open(), { end });
  } catch (error) {
    body.destroy();
    if (options.signal?.aborted === true) throw new StoreError('ABORTED', 'interrupted', {}, error);
    throw error;
  }
  return meta;
}

/** The same to something that stands there and must stay, such as a device or FIFO. @throws TARGET_IO */
export async function copyToDevice(
  store: ObjectStore,
  bucket: string,
  key: string,
  file: string,
  options: GetOptions,
): Promise<ObjectMeta> {
  try {
    return await copyTo(store, bucket, key, () => openDevice(file, options.signal), options, true);
  } catch (error) {
    if (isStoreError(error)) throw error;
    throw targetError(file, error);
  }
}

/** The same to standard output: whoever closes the pipe has had enough. */
export async function copyToOutput(
  store: ObjectStore,
  bucket: string,
  key: string,
  options: GetOptions,
  io: Io,
): Promise<void> {
  try {
    await copyTo(store, bucket, key, () => io.stdout.stream, options, false);
  } catch (error) {
    if (isStoreError(error) || !io.stdout.broken) throw error;
  }
}
