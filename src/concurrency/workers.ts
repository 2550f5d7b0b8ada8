import { pMapIterable } from 'p-map';

/**
 * Runs `work` in `count` workers at a time, each again and again until it gives false. When one fails, no other begins
 * again, and the failure is reported only when all are at rest: nobody is at work any more on what the caller then
 * closes or removes.
 */
export async function runWorkers(count: number, work: () => Promise<boolean>): Promise<void> {
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    try {
      while (failures.length === 0 && (await work()));
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: count }, worker));
  // The others may be what follows from the first.
  if (failures.length > 0) throw failures[0];
}

/** Runs `work` on every item, `count` of them side by side. Like `runWorkers`, it ends only when all are at rest. */
export async function forEachAtOnce<T>(
  items: Iterable<T> | AsyncIterable<T>,
  count: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let isFailing = false;
  try {
    await runWorkers(count, async () => {
      const next = await iterator.next();
      // While it was waited for, another may have failed.
      if (next.done === true || isFailing) return false;
      try {
        await work(next.value);
      } catch (error) {
        isFailing = true;
        throw error;
      }
      return true;
    });
  } catch (error) {
    await iterator.return?.();
    throw error;
  }
}

/**
 * Runs `work` on every item, `count` of them side by side, and gives the results in the order of the items, as far ahead of
 * the consumer. Like `runWorkers`, it ends only when all are at rest.
 */
export async function* mapAtOnce<T, Result>(
  items: AsyncIterable<T>,
  count: number,
  work: (item: T) => Promise<Result>,
): AsyncGenerator<Result> {
  const iterator = items[Symbol.asyncIterator]();
  let pull: Promise<unknown> = Promise.resolve();
  const next = (): Promise<IteratorResult<T>> => {
    const pulled = iterator.next();
    pull = pulled;
    return pulled;
  };
  const running = new Set<Promise<unknown>>();
  // In a box, because some results would mean something to p-map.
  const run = async (item: T): Promise<readonly [Result]> => {
    const promise = work(item);
    running.add(promise);
    try {
      return [await promise];
    } finally {
      running.delete(promise);
    }
  };
  try {
    const source = { [Symbol.asyncIterator]: () => ({ next }) };
    for await (const [result] of pMapIterable(source, run, { concurrency: count })) yield result;
  } finally {
    // Who stops early stops the source too, once what was asked of it has come; and that may have begun more work.
    await Promise.allSettled([pull, iterator.return?.()]);
    await Promise.allSettled(running);
  }
}

/** Goes through what a generator gives, for what it does on the way. */
export async function exhaust(items: AsyncIterator<unknown>): Promise<void> {
  while ((await items.next()).done !== true);
}
