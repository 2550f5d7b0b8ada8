import { asDone } from '../../concurrency/as-done.ts';
import { isStoreError, throwIfAborted, type StoreError } from '../../errors.ts';

/** What became of an item: what it came to, or why not. */
export type Outcome<Item, Done> = ({ item: Item } & Done) | { item: Item; error: StoreError };

/** Items on their way at once; so many small ones are in memory. */
const AT_ONCE = 1024;

/** Items among them at most that are worked on by themselves where that takes much. */
export const LARGE_AT_ONCE = 4;

/**
 * Works on items, and tells of each as soon as that is done, in whatever order. Of several with one name, each begins when the one
 * before it is at rest. Items are asked for as long as there is room, and none waits for those that have not come.
 */
export async function* ofMany<Item extends { signal?: AbortSignal | undefined }, Done extends object>(
  items: Iterable<Item> | AsyncIterable<Item>,
  nameOf: (item: Item) => string,
  work: (item: Item) => Promise<Done>,
): AsyncGenerator<Outcome<Item, Done>> {
  /** The last item of each name that is on its way. */
  const latest = new Map<string, Promise<unknown>>();
  const begin = async (item: Item): Promise<Done> => {
    throwIfAborted(item.signal);
    return work(item);
  };
  yield* asDone(items, AT_ONCE, async (item): Promise<Outcome<Item, Done>> => {
    const name = nameOf(item);
    const before = latest.get(name);
    const working = before === undefined ? begin(item) : before.then(() => begin(item));
    const atRest = working.catch(() => undefined);
    latest.set(name, atRest);
    try {
      return { item, ...(await working) };
    } catch (error) {
      if (!isStoreError(error)) throw error;
      return { item, error };
    } finally {
      if (latest.get(name) === atRest) latest.delete(name);
    }
  });
}

/** Fewer than so many are as fast by themselves. */
export const LEAST = 4;
