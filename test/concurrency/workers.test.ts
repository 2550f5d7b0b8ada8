import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { forEachAtOnce, mapAtOnce, runWorkers } from '../../src/concurrency/workers.ts';

async function* counting(to: number): AsyncGenerator<number> {
  for (let index = 0; index < to; index++) {
    await turn();
    yield index;
  }
}

test.each([
  ['an array', () => [...Array(20).keys()]],
  ['an async generator', () => counting(20)],
])('every item of %s is worked on once, and no more than so many side by side', async (_, items) => {
  const seen: number[] = [];
  let running = 0;
  let most = 0;
  await forEachAtOnce(items(), 3, async (item) => {
    most = Math.max(most, ++running);
    seen.push(item);
    for (let turns = 0; turns < 10; turns++) await turn();
    running--;
  });
  expect(seen.sort((a, b) => a - b)).toEqual([...Array(20).keys()]);
  expect(most).toBe(3);
});

test('when one fails, the others end before that is reported, and no further one begins', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = forEachAtOnce([...Array(20).keys()], 4, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error('item 1');
    for (let turns = 0; turns < 10; turns++) await turn();
    ended.push(item);
  });
  await expect(work).rejects.toThrow('item 1');
  expect(begun).toEqual([0, 1, 2, 3]);
  expect(ended).toEqual([0, 2, 3]);
});

test('no item of a slow source is begun after a failure, and the source is closed', async () => {
  let isClosed = false;
  async function* slow(): AsyncGenerator<number> {
    try {
      for await (const item of counting(20)) {
        for (let turns = 0; turns < 5; turns++) await turn();
        yield item;
      }
    } finally {
      isClosed = true;
    }
  }
  const begun: number[] = [];
  const work = forEachAtOnce(slow(), 8, async (item) => {
    begun.push(item);
    await turn();
    throw new Error(`item ${item}`);
  });
  await expect(work).rejects.toThrow('item 0');
  expect(begun).toEqual([0]);
  expect(isClosed).toBe(true);
});

test('the first failure is reported, and not what follows from it', async () => {
  const work = forEachAtOnce([0, 1], 2, async (item) => {
    for (let turns = 0; turns < 10 && item === 0; turns++) await turn();
    throw new Error(item === 0 ? 'consequence' : 'cause');
  });
  await expect(work).rejects.toThrow('cause');
});

test('a source that fails is reported when all are at rest', async () => {
  const ended: number[] = [];
  async function* failing(): AsyncGenerator<number> {
    yield* counting(3);
    throw new Error('the source');
  }
  const work = forEachAtOnce(failing(), 4, async (item) => {
    for (let turns = 0; turns < 20; turns++) await turn();
    ended.push(item);
  });
  await expect(work).rejects.toThrow('the source');
  expect(ended).toEqual([0, 1, 2]);
});

test('workers go on until each has nothing more to do', async () => {
  let left = 10;
  await runWorkers(4, () => Promise.resolve(left-- > 0));
  expect(left).toBe(-4);
});

test('results come in the order of the items, so many being worked on side by side', async () => {
  let running = 0;
  let most = 0;
  const results: number[] = [];
  const work = async (item: number): Promise<number> => {
    most = Math.max(most, ++running);
    for (let turns = 0; turns < 10 + (item % 3) * 10; turns++) await turn();
    running--;
    return item * 2;
  };
  for await (const result of mapAtOnce(counting(20), 4, work)) results.push(result);
  expect(results).toEqual([...Array(20).keys()].map((item) => item * 2));
  expect(most).toBe(4);
});

test.each([
  ['an item', counting(20), 3],
  [
    'the source',
    (async function* () {
      yield* counting(3);
      throw new Error('broken');
    })(),
    -1,
  ],
])('the failure of %s comes after the results before it, when all are at rest', async (_, items, broken) => {
  let running = 0;
  const results: number[] = [];
  const work = async (item: number): Promise<number> => {
    running++;
    for (let turns = 0; turns < 20; turns++) await turn();
    running--;
    if (item === broken) throw new Error('broken');
    return item;
  };
  const all = (async () => {
    for await (const result of mapAtOnce(items, 8, work)) results.push(result);
  })();
  await expect(all).rejects.toThrow('broken');
  expect(results).toEqual([0, 1, 2]);
  expect(running).toBe(0);
});

test('who has had enough of the results waits for those at work, and closes the source', async () => {
  let isClosed = false;
  async function* source(): AsyncGenerator<number> {
    try {
      yield* counting(20);
    } finally {
      isClosed = true;
    }
  }
  let running = 0;
  const work = async (item: number): Promise<number> => {
    running++;
    for (let turns = 0; turns < item * 5; turns++) await turn();
    running--;
    return item;
  };
  for await (const result of mapAtOnce(source(), 4, work)) if (result === 1) break;
  expect({ isClosed, running }).toEqual({ isClosed: true, running: 0 });
});
