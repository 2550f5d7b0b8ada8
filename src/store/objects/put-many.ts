import { SmallFiles } from '../../chunks/small-files.ts';
import type { PutSource } from '../../chunks/source.ts';
import { Budget } from '../../concurrency/budget.ts';
import type { Address } from '../../metadata/names.ts';
import { LARGE_AT_ONCE, ofMany, type Outcome } from './many.ts';
import type { PutOptions, PutResult } from './put.ts';
import { SMALL, type Puts } from './puts.ts';

/** An object to be stored: where, what, and how. */
export interface PutItem extends Address, PutOptions {
  source: PutSource;
}

/** What became of an item: it is stored, or why not. */
export type PutOutcome<Item> = Outcome<Item, { result: PutResult }>;

/** Stores objects, and tells of each as soon as that is done. Of several for one key, the one that comes last is the last to commit. */
export function putMany<Item extends PutItem>(
  puts: Puts,
  items: Iterable<Item> | AsyncIterable<Item>,
): AsyncGenerator<PutOutcome<Item>> {
  const files = new SmallFiles();
  const large = new Budget(LARGE_AT_ONCE);
  const store = async ({ bucket, key, source, ...options }: PutItem): Promise<PutResult> => {
    const bytes = typeof source === 'string' ? await files.read(source) : source;
    if (bytes instanceof Uint8Array && bytes.length <= SMALL) return puts.put({ bucket, key }, bytes, options);
    return large.spend(1, () => puts.put({ bucket, key }, source, options));
  };
  const nameOf = ({ bucket, key }: Item): string => `${bucket}/${key}`;
  return ofMany(items, nameOf, async (item) => ({ result: await store(item) }));
}
