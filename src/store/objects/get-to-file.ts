import { randomUUID } from 'node:crypto';
import * as path from 'node:path';
import { runWorkers } from '../../concurrency/workers.ts';
import { errnoOf, isStoreError, must, reasonOf, StoreError, throwIfAborted, throwIfShort } from '../../errors.ts';
import * as files from '../../files/calls.ts';
import { TargetFile } from '../../files/target-file.ts';
import type { ObjectMeta } from '../../metadata/meta.ts';
import type { StoreContext } from '../protocol/context.ts';
import { openObject, type GetOptions } from './open-object.ts';

/**
 * Reads an object, or a range of it, into a file, whose folders are made. Chunks are read, checked and written in
 * parallel, in whatever order they arrive. The file appears under its name when it is whole and synced; on a failure
 * before that nothing of it stays.
 * @throws TARGET_IO where the file cannot be written
 */
export async function getToFile(
  context: StoreContext,
  bucket: string,
  key: string,
  file: string,
  options: GetOptions,
): Promise<ObjectMeta> {
  const place = path.resolve(file);
  const { meta, slices, reader, concurrency, release } = await openObject(context, bucket, key, options, context.pool);
  try {
    const size = slices.flatMap(({ slices: wanted }) => wanted).reduce((sum, slice) => sum + slice.to - slice.from, 0);
    await writeWhole(place, size, async (out) => {
      const waiting = slices.values();
      await runWorkers(concurrency, async () => {
        throwIfAborted(options.signal);
        const next = waiting.next();
        if (next.done === true) return false;
        const { stripe, slices: wanted } = next.value;
        const wantedChunks = wanted.map(({ chunk }) => chunk);
        const write = async (chunks: Buffer[]): Promise<void> => {
          const writes = wanted.map(async ({ from, to, target }, index) => {
            await targeting(file, out.write(must(chunks[index], 'chunk').subarray(from, to), target));
            options.onBytes?.(to - from);
          });
          // The buffers are in use until all writes are at rest.
          await Promise.allSettled(writes);
          await Promise.all(writes);
        };
        await context.budget.spend(reader.cost(stripe, wantedChunks), () => reader.read(stripe, wantedChunks, write));
        return true;
      });
      throwIfAborted(options.signal);
    });
    return meta;
  } finally {
    await release();
  }
}

/** Writes a file of `size` bytes under a name of its own beside its place, syncs it, and renames it when `work` is done. */
async function writeWhole(file: string, size: number, work: (out: TargetFile) => Promise<void>): Promise<void> {
  const folder = path.dirname(file);
  const folders = await targeting(file, files.makeFolders(folder));
  // The name stays short: the file's own name may be as long as a name can be.
  const part = path.join(folder, `.${randomUUID()}.part`);
  try {
    const out = await targeting(file, TargetFile.create(part, size));
    try {
      await work(out);
      await targeting(file, out.sync());
    } finally {
      await targeting(file, out.close());
    }
    await targeting(file, files.rename(part, file));
  } catch (error) {
    await files.unlink(part).catch(() => undefined);
    await files.removeFolders(folders);
    throw error;
  }
  for (const made of [...folders.map((name) => path.dirname(name)), folder])
    await targeting(file, files.syncFolderNow(made));
}

async function targeting<T>(file: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (isStoreError(error)) throw error;
    throwIfShort(error, `cannot write "${file}"`);
    const errno = errnoOf(error);
    const reason = errno === 'EISDIR' ? 'it is a folder' : reasonOf(error);
    throw new StoreError('TARGET_IO', `cannot write "${file}": ${reason}`, { path: file, errno }, error);
  }
}
