import { SmallFiles } from '../../chunks/small-files.ts';
import type { PutSource } from '../../chunks/source.ts';
import { asDone } from '../../concurrency/as-done.ts';
import { Budget } from '../../concurrency/budget.ts';
import { isStoreError, throwIfAborted, type StoreError } from '../../errors.ts';
import type { Address } from '../../metadata/names.ts';
import type { PutOptions, PutResult } from './put.ts';
import { SMALL, type Puts } from './puts.ts';

/** An object to be stored: where, what, and how. */
export interface PutItem extends Address, PutOptions {
  source: PutSource;
}

/** What became of an item: it is stored, or why not. */
export type PutOutcome<Item> = { item: Item; result: PutResult } | { item: Item; error: StoreError };

/** Objects on their way at once; so many small ones are in memory. */
const AT_ONCE = 1024;

/** Objects among them that are not small. Each has chunks of its own in flight. */
const LARGE_AT_ONCE = 4;

/**
 * Stores objects, and tells of each as soon as that is done, in whatever order. Of several for one key, the one that comes last is
 * the last to commit. Items are asked for as long as there is room, and none waits for those that have not come.
 */
export async function* putMany<Item extends PutItem>(
  puts: Puts,
  items: Iterable<Item> | AsyncIterable<Item>,
): AsyncGenerator<PutOutcome<Item>> {
  const files = new SmallFiles();
  const large = new Budget(LARGE_AT_ONCE);
  /** The last put of each key that is on its way. */
  const latest = new Map<string, Promise<unknown>>();
  const store = async (item: Item): Promise<PutResult> => {
    const { bucket, key, source, ...options } = item;
    throwIfAborted(options.signal);
    const bytes = typeof source === 'string' ? await files.read(source) : source;
    if (bytes instanceof Uint8Array && bytes.length <= SMALL) return puts.put({ bucket, key }, bytes, options);
    return large.spend(1, () => puts.put({ bucket, key }, source, options));
  };
  yield* asDone(items, AT_ONCE, async (item): Promise<PutOutcome<Item>> => {
    const name = `${item.bucket}/${item.key}`;
    const before = latest.get(name);
    const storing = before === undefined ? store(item) : before.then(() => store(item));
    const atRest = storing.catch(() => undefined);
    latest.set(name, atRest);
    try {
      return { item, result: await storing };
    } catch (error) {
      if (!isStoreError(error)) throw error;
      return { item, error };
    } finally {
      if (latest.get(name) === atRest) latest.delete(name);
    }
  });
}
