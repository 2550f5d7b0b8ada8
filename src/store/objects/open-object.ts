import type { Buffers } from '../../memory/buffer-pool.ts';
import { sliceStripes, type StripeSlice } from '../../chunks/slices.ts';
import { StripeReader } from '../../chunks/stripe-reader.ts';
import { throwIfAborted } from '../../errors.ts';
import type { ObjectMeta } from '../../metadata/meta.ts';
import { stripesOf } from '../../metadata/stripes.ts';
import type { StoreContext } from '../protocol/context.ts';
import type { GetOptions } from './get.ts';
import { openVersion } from '../protocol/open-version.ts';
import { resolveRange } from './range.ts';

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
