import { StoreError } from '../errors.ts';
import type { ChunkEntry, ObjectMeta } from '../metadata/meta.ts';
import type { Stripe } from '../metadata/stripes.ts';

/** The bytes of an object that chunks of a stripe hold, first and last included, in words: `bytes 0-1048575`. */
export function describeBytes(
  stripe: Stripe,
  chunks: readonly ChunkEntry[],
): { from: number; to: number; text: string } {
  let start = stripe.offset;
  let from = Infinity;
  let to = 0;
  for (const chunk of stripe.chunks) {
    if (chunks.includes(chunk)) {
      from = Math.min(from, start);
      to = Math.max(to, start + chunk.size);
    }
    start += chunk.size;
  }
  return { from, to, text: `bytes ${from}-${to - 1}` };
}

/**
 * The error for chunks that can't be read and can't be computed either. Its code is that of the first reason.
 * @param reasons one for each shard of the stripe that is not there
 */
export function lossError(
  meta: ObjectMeta,
  stripe: Stripe,
  lost: readonly ChunkEntry[],
  reasons: readonly StoreError[],
): StoreError {
  const { bucket, key, version } = meta;
  const { from, to, text } = describeBytes(stripe, lost);
  const [first] = lost;
  const own = reasons.find(({ details }) => details.disk === first?.disk) ?? reasons[0];
  const others = reasons.filter((reason) => reason !== own);
  const words = [own, ...others].map((reason) => reason?.message ?? '').join('; ');
  const disks = reasons.map(({ details }) => details.disk ?? '');
  const details = { ...own?.details, bucket, key, version, chunk: first?.order, from, to, disks };
  const message = `${text} of ${bucket}/${key} cannot be read: ${words}`;
  return new StoreError(own?.code ?? 'CHUNK_UNAVAILABLE', message, details, own);
}
