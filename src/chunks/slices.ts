import type { ChunkEntry } from '../metadata/meta.ts';
import type { Stripe } from '../metadata/stripes.ts';

/** A chunk of an object and the bytes of it that a reader wants: `from` up to but not including `to`. */
export interface ChunkSlice {
  chunk: ChunkEntry;
  from: number;
  to: number;
  /** Where the slice lands, counted from the first byte wanted. */
  target: number;
}

/** What a reader wants of one stripe. */
export interface StripeSlice {
  stripe: Stripe;
  slices: ChunkSlice[];
}

/** The slices that make up bytes `from` up to but not including `to` of an object. Offsets come from the chunks' sizes. */
export function sliceStripes(stripes: readonly Stripe[], from: number, to: number): StripeSlice[] {
  const wanted: StripeSlice[] = [];
  for (const stripe of stripes) {
    const slices: ChunkSlice[] = [];
    let start = stripe.offset;
    for (const chunk of stripe.chunks) {
      const end = start + chunk.size;
      if (end > from && start < to) {
        const first = Math.max(from, start);
        slices.push({ chunk, from: first - start, to: Math.min(to, end) - start, target: first - from });
      }
      start = end;
    }
    if (slices.length > 0) wanted.push({ stripe, slices });
  }
  return wanted;
}
