import type { Buffers } from '../../memory/buffer-pool.ts';
import { sliceStripes, type StripeSlice } from '../../chunks/slices.ts';
import { StripeReader } from '../../chunks/stripe-reader.ts';
import { throwIfAborted, type StoreError } from '../../errors.ts';
import type { ChunkEntry, ObjectMeta } from '../../metadata/meta.ts';
import { stripesOf } from '../../metadata/stripes.ts';
import type { StoreContext } from '../protocol/context.ts';
import { openVersion } from '../protocol/open-version.ts';
import { resolveRange, type ByteRange } from './range.ts';

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

/** An object held for reading: what is wanted of it, and who reads that. */
export interface OpenObject {
  meta: ObjectMeta;
  slices: StripeSlice[];
  reader: StripeReader;
  /** Stripes to be read side by side. */
  concurrency: number;
  release: () => Promise<void>;
}

/**
 * Holds an object's newest version and finds the chunks of the wanted range. That too many disks are not there is told
 * now, before a first byte has gone out.
 */
export async function openObject(
  context: StoreContext,
  bucket: string,
  key: string,
  options: GetOptions,
  buffers: Buffers,
): Promise<OpenObject> {
  throwIfAborted(options.signal);
  const { meta, view, release } = await openVersion(context, bucket, key, options);
  try {
    const { from, to } = resolveRange(options.range, meta.size);
    const slices = sliceStripes(stripesOf(meta), from, to);
    const { onRebuilt } = options;
    const reader = new StripeReader(meta, view, { buffers, onRebuilt });
    for (const { stripe, slices: wanted } of slices)
      reader.checkDisks(
        stripe,
        wanted.map(({ chunk }) => chunk),
      );
    const widest = slices.reduce((most, { slices: wanted }) => Math.max(most, wanted.length), 1);
    return { meta, slices, reader, concurrency: Math.ceil(context.concurrency / widest), release };
  } catch (error) {
    await release();
    throw error;
  }
}
