import { Readable } from 'node:stream';
import { pMapIterable } from 'p-map';
import { StoreError } from '../errors.ts';
import type { ObjectMeta } from '../metadata/meta.ts';
import type { StoreContext } from './context.ts';
import { openObject } from './open-object.ts';
import type { ByteRange } from './range.ts';

export interface GetOptions {
  range?: ByteRange | undefined;
  /** Read even where fewer disks answer than it takes to be sure that this is the newest version. */
  allowStale?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the bytes of every chunk that has been read and checked. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** An object's version and its bytes. The body must be read to its end or destroyed: until then it holds the version. */
export interface GetResult {
  meta: ObjectMeta;
  body: Readable;
}

/**
 * Opens an object for reading. Chunks are read and checked in parallel, ahead of the reader by a bounded number, and
 * handed out in order; the body fails with the first one that is damaged, before any byte of it.
 */
export async function get(
  context: StoreContext,
  bucket: string,
  key: string,
  options: GetOptions,
): Promise<GetResult> {
  const { meta, slices, reader, release } = await openObject(context, bucket, key, options);
  const chunks = pMapIterable(
    slices,
    async (slice) => {
      // One byte more than the chunk has, so that one read shows a chunk that is too long.
      const bytes = await reader.read(slice.chunk, Buffer.allocUnsafeSlow(slice.chunk.size + 1));
      options.onBytes?.(slice.to - slice.from);
      return bytes.subarray(slice.from, slice.to);
    },
    { concurrency: context.concurrency, backpressure: context.concurrency },
  );
  const body = Readable.from(chunks, { objectMode: false });
  const abort = (): void => {
    body.destroy(new StoreError('ABORTED', 'interrupted', {}, options.signal?.reason));
  };
  options.signal?.addEventListener('abort', abort, { once: true });
  if (options.signal?.aborted === true) abort();
  body.once('close', () => {
    options.signal?.removeEventListener('abort', abort);
    void release();
  });
  return { meta, body };
}
