import { describe, expect, test } from 'vitest';
import { asDone } from '../../src/concurrency/as-done.ts';

/** Work that a test ends item by item. */
class Work {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, { resolve: (result: string) => void; reject: (error: Error) => void }>();

  readonly do = (item: string): Promise<string> => {
    this.begun.push(item);
    return new Promise((resolve, reject) => this.#ends.set(item, { resolve, reject }));
  };

  end(item: string): void {
    this.#ends.get(item)?.resolve(item.toUpperCase());
  }

  fail(item: string): void {
    this.#ends.get(item)?.reject(new Error(`${item} failed`));
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('results as they are done', () => {
  test('come in the order in which the work ends', async () => {
    const work = new Work();
    const results = asDone(['a', 'b', 'c'], 3, work.do);
    const first = results.next();
    await settle();
    work.end('b');
    expect(await first).toEqual({ value: 'B', done: false });
    work.end('c');
    work.end('a');
    expect([(await results.next()).value, (await results.next()).value]).toEqual(['C', 'A']);
    expect((await results.next()).done).toBe(true);
  });

  test.each([1, 2, 7])('are all there with %i at once', async (count) => {
    const items = Array.from({ length: 50 }, (_, index) => index);
    let running = 0;
    let most = 0;
    const found: number[] = [];
    const work = async (item: number): Promise<number> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return item;
    };
    for await (const result of asDone(items, count, work)) found.push(result);
    expect(found.sort((a, b) => a - b)).toEqual(items);
    expect(most).toBe(count);
  });

  test('include those that are undefined, and end where there is nothing', async () => {
    const found: undefined[] = [];
    for await (const result of asDone(['a', 'b'], 2, () => Promise.resolve(undefined))) found.push(result);
    expect(found).toEqual([undefined, undefined]);
    expect(await asDone([], 2, () => Promise.resolve(1)).next()).toEqual({ value: undefined, done: true });
  });

  test('do not wait for a source that gives nothing more for a while', async () => {
    const work = new Work();
    let give: (item: string) => void = () => undefined;
    async function* source(): AsyncGenerator<string> {
      yield 'a';
      yield await new Promise<string>((resolve) => (give = resolve));
    }
    const results = asDone(source(), 2, work.do);
    const first = results.next();
    await settle();
    work.end('a');
    expect((await first).value).toBe('A');
    const second = results.next();
    await settle();
    give('b');
    await settle();
    work.end('b');
    expect((await second).value).toBe('B');
    expect((await results.next()).done).toBe(true);
  });

  test('hold the source back where nobody takes them', async () => {
    let given = 0;
    function* source(): Generator<number> {
      for (;;) yield ++given;
    }
    const results = asDone(source(), 3, (item) => Promise.resolve(item));
    await results.next();
    await settle();
    expect(given).toBeLessThanOrEqual(4);
    await results.return(undefined);
  });

  test('end with a failure, when all that has begun is at rest, and stop the source', async () => {
    const work = new Work();
    let isStopped = false;
    function* source(): Generator<string> {
      try {
        yield* ['a', 'b', 'c', 'd'];
      } finally {
        isStopped = true;
      }
    }
    const results = asDone(source(), 2, work.do);
    let isOver = false;
    const failed = results.next().catch((error: unknown) => {
      isOver = true;
      return error;
    });
    await settle();
    work.fail('a');
    await settle();
    expect(isOver).toBe(false);
    work.end('b');
    expect(await failed).toEqual(new Error('a failed'));
    expect(work.begun).toEqual(['a', 'b']);
    expect(isStopped).toBe(true);
  });

  test('end with a failure of the source', async () => {
    // eslint-disable-next-line @typescript-eslint/require-await -- a source that fails before it gives anything
    async function* source(): AsyncGenerator<string> {
      yield* [];
      throw new Error('the source failed');
    }
    await expect(asDone(source(), 2, (item) => Promise.resolve(item)).next()).rejects.toThrow('the source failed');
  });

  test('may be left early: what comes from the source afterwards is not begun', async () => {
    const work = new Work();
    let give: (item: string) => void = () => undefined;
    async function* source(): AsyncGenerator<string> {
      yield 'a';
      yield await new Promise<string>((resolve) => (give = resolve));
    }
    const results = asDone(source(), 2, work.do);
    const first = results.next();
    await settle();
    work.end('a');
    await first;
    await results.return(undefined);
    give('b');
    await settle();
    expect(work.begun).toEqual(['a']);
  });
});
