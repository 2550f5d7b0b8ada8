import { Readable } from 'node:stream';
import type { StripeSlice } from '../../chunks/slices.ts';
import type { Release } from '../../concurrency/budget.ts';
import { must, StoreError } from '../../errors.ts';
import { freshBuffers } from '../../memory/buffer-pool.ts';
import type { ObjectMeta } from '../../metadata/meta.ts';
import type { StoreContext } from '../protocol/context.ts';
import { openObject, type GetOptions, type OpenObject } from './open-object.ts';

/** An object's version and its bytes. The body must be read to its end or destroyed: until then it holds the version. */
export interface GetResult {
  meta: ObjectMeta;
  body: Readable;
}

/**
 * Opens an object for reading. Chunks are read and checked in parallel, ahead of the reader by a bounded number, and
 * handed out in order, in memory that is the reader's from then on; the body fails with the first one that is damaged,
 * before any byte of it.
 */
export async function get(context: StoreContext, bucket: string, key: string, options: GetOptions): Promise<GetResult> {
  const object = await openObject(context, bucket, key, options, freshBuffers);
  const body = Readable.from(readAhead(context, object, options), { objectMode: false });
  const abort = (): void => {
    body.destroy(new StoreError('ABORTED', 'interrupted', {}, options.signal?.reason));
  };
  options.signal?.addEventListener('abort', abort, { once: true });
  if (options.signal?.aborted === true) abort();
  body.once('close', () => {
    options.signal?.removeEventListener('abort', abort);
    void object.release();
  });
  return { meta: object.meta, body };
}

/** A stripe that has been read, or is being read, before its turn. */
interface Ahead {
  bytes: Promise<Buffer[]>;
  release: Release;
}

/**
 * The bytes of an object, stripe by stripe. Whose turn it is needs no share of any budget, so a stream always goes on; what
 * is read beyond that has a share for as long as the consumer leaves it there, and is not read where there is none.
 */
async function* readAhead(context: StoreContext, object: OpenObject, options: GetOptions): AsyncGenerator<Buffer> {
  const { slices, reader, concurrency } = object;
  const read = async ({ stripe, slices: wanted }: StripeSlice): Promise<Buffer[]> =>
    reader.read(
      stripe,
      wanted.map(({ chunk }) => chunk),
      (chunks) =>
        wanted.map(({ from, to }, index) => {
          options.onBytes?.(to - from);
          return must(chunks[index], 'chunk').subarray(from, to);
        }),
    );
  const ahead: Ahead[] = [];
  let begun = 0;
  try {
    for (;;) {
      for (let next = slices[begun]; next !== undefined && ahead.length < concurrency; next = slices[begun]) {
        const wanted = next.slices.map(({ chunk }) => chunk);
        const release = ahead.length === 0 ? () => undefined : context.ahead.tryTake(reader.cost(next.stripe, wanted));
        if (release === undefined) break;
        const bytes = read(next);
        // Told to whom it is handed out, and to nobody else.
        bytes.catch(() => undefined);
        ahead.push({ bytes, release });
        begun++;
      }
      const first = ahead.shift();
      if (first === undefined) return;
      first.release();
      // Not `yield*`: who destroys the stream throws into it, and a list's iterator can't take that.
      for (const bytes of await first.bytes) yield bytes;
    }
  } finally {
    for (const { bytes, release } of ahead) void bytes.then(release, release);
  }
}
