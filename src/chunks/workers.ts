/**
 * Runs `work` in `count` workers at a time, each again and again until it gives false. When one fails, no other begins
 * anew, and the failure is reported only when all are at rest: nobody is at work any more on what the caller then
 * closes or removes.
 */
export async function runWorkers(count: number, work: () => Promise<boolean>): Promise<void> {
  let failed = false;
  const worker = async (): Promise<void> => {
    try {
      while (!failed && (await work()));
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: count }, worker));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Runs `work` on every item, `count` of them side by side. Like `runWorkers`, it ends only when all are at rest. */
export async function forEachAtOnce<T>(items: Iterable<T> | AsyncIterable<T>, count: number, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  await runWorkers(count, async () => {
    const next = await iterator.next();
    if (next.done === true) return false;
    await work(next.value);
    return true;
  });
}
