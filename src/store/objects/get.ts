import { Readable } from 'node:stream';
import { pMapIterable } from 'p-map';
import { freshBuffers } from '../../memory/buffer-pool.ts';
import { StoreError } from '../../errors.ts';
import type { ChunkEntry, ObjectMeta } from '../../metadata/meta.ts';
import type { StoreContext } from '../protocol/context.ts';
import { openObject } from './open-object.ts';
import type { ByteRange } from './range.ts';

export interface GetOptions {
  range?: ByteRange | undefined;
  /** Read even where fewer disks answer than it takes to be sure that this is the newest version. */
  allowStale?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the bytes of every chunk that has been read and checked. */
  onBytes?: ((bytes: number) => void) | undefined;
  /** Called with each chunk that was computed from parity because it was not there as it should be, and why. */
  onRebuilt?: ((chunk: ChunkEntry, reason: StoreError) => void) | undefined;
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
export async function get(context: StoreContext, bucket: string, key: string, options: GetOptions): Promise<GetResult> {
  const { meta, slices, reader, concurrency, release } = await openObject(context, bucket, key, options, freshBuffers);
  const stripes = pMapIterable(
    slices,
    ({ stripe, slices: wanted }) =>
      reader.read(
        stripe,
        wanted.map(({ chunk }) => chunk),
        (chunks) => {
          for (const { from, to } of wanted) options.onBytes?.(to - from);
          return chunks.map((bytes, index) => bytes.subarray(wanted[index]?.from, wanted[index]?.to));
        },
      ),
    { concurrency, backpressure: concurrency },
  );
  const body = Readable.from(flatten(stripes), { objectMode: false });
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

async function* flatten<T>(lists: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  // Not `yield*`: who destroys the stream throws into it, and a list's iterator can't take that.
  for await (const list of lists) for (const item of list) yield item;
}
