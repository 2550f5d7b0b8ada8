import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import * as path from 'node:path';
import pMap from 'p-map';
import { errnoOf, isStoreError, StoreError, throwIfAborted } from '../errors.ts';
import { close, fsync, open, rename, rmdir, syncFolderNow, unlink, writeFully } from '../files/calls.ts';
import type { ObjectMeta } from '../metadata/meta.ts';
import type { StoreContext } from './context.ts';
import type { GetOptions } from './get.ts';
import { openObject } from './open-object.ts';

/**
 * Reads an object, or a range of it, into a file, whose folders are made. Chunks are read, checked and written in parallel, in whatever order
 * they arrive. The file appears under its name when it is whole and durable; on any failure nothing of it stays.
 * @throws TARGET_IO where the file cannot be written
 */
export async function getToFile(
  context: StoreContext,
  bucket: string,
  key: string,
  file: string,
  options: GetOptions,
): Promise<ObjectMeta> {
  const target = path.resolve(file);
  const { meta, slices, reader, release } = await openObject(context, bucket, key, options);
  try {
    await writeWhole(target, async (fd) => {
      await pMap(
        slices,
        async (slice) => {
          throwIfAborted(options.signal);
          const buffer = context.pool.take(slice.chunk.size + 1);
          try {
            const bytes = await reader.read(slice.chunk, buffer);
            await targeting(file, writeFully(fd, bytes.subarray(slice.from, slice.to), slice.target));
          } finally {
            context.pool.give(buffer);
          }
          options.onBytes?.(slice.to - slice.from);
        },
        { concurrency: context.concurrency },
      );
      throwIfAborted(options.signal);
    });
    return meta;
  } finally {
    await release();
  }
}

/** Writes a file under a name of its own beside its place, syncs it, and renames it when `work` is done. */
async function writeWhole(file: string, work: (fd: number) => Promise<void>): Promise<void> {
  const folder = path.dirname(file);
  const firstMade = await targeting(file, mkdir(folder, { recursive: true }));
  // The name stays short: the file's own name may be as long as a name can be.
  const part = path.join(folder, `.${randomUUID()}.part`);
  try {
    const fd = await targeting(file, open(part, 'wx', 0o666));
    try {
      await work(fd);
      await targeting(file, fsync(fd));
    } finally {
      await close(fd);
    }
    await targeting(file, rename(part, file));
  } catch (error) {
    await unlink(part).catch(() => undefined);
    if (firstMade !== undefined) await removeEmptyFolders(folder, firstMade);
    throw error;
  }
  await targeting(file, syncFolderNow(folder));
}

/** Removes folders from the inside out, up to and including `last`, as far as they are empty. */
async function removeEmptyFolders(folder: string, last: string): Promise<void> {
  for (let at = folder; at.length >= last.length; at = path.dirname(at)) {
    if (!(await rmdir(at).then(() => true, () => false))) return;
  }
}

async function targeting<T>(file: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (isStoreError(error)) throw error;
    const errno = errnoOf(error);
    const message = error instanceof Error ? error.message : String(error);
    throw new StoreError('TARGET_IO', `cannot write "${file}": ${message}`, { path: file, ...(errno === undefined ? {} : { errno }) }, error);
  }
}
