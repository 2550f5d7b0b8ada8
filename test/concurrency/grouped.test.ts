import { describe, expect, test } from 'vitest';
import { Grouped } from '../../src/concurrency/grouped.ts';

/** Groups as they began, each with what ends it. */
interface Begun {
  items: readonly string[];
  end: (results?: string[]) => void;
  fail: (error: Error) => void;
}

function grouped(most: number, atOnce: number, weigh: (item: string) => number = () => 1) {
  const begun: Begun[] = [];
  const work = new Grouped<string, string>(
    (items) =>
      new Promise((resolve, reject) => {
        const end = (results = items.map((item) => item.toUpperCase())): void => {
          resolve(results);
        };
        begun.push({ items, end, fail: reject });
      }),
    { weigh, most, atOnce },
  );
  return { work, begun };
}

/** Lets everything happen that can happen by itself. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('work in groups', () => {
  test('takes together who comes together, and gives each its own result', async () => {
    const { work, begun } = grouped(10, 1);
    const results = Promise.all(['a', 'b', 'c'].map((item) => work.do(item)));
    await settle();
    expect(begun.map(({ items }) => items)).toEqual([['a', 'b', 'c']]);
    begun[0]?.end();
    expect(await results).toEqual(['A', 'B', 'C']);
  });

  test('makes who comes later wait for the next group, and nobody longer', async () => {
    const { work, begun } = grouped(10, 1);
    const first = work.do('a');
    await settle();
    const others = Promise.all([work.do('b'), work.do('c')]);
    await settle();
    expect(begun).toHaveLength(1);
    begun[0]?.end();
    await first;
    await settle();
    expect(begun.map(({ items }) => items)).toEqual([['a'], ['b', 'c']]);
    begun[1]?.end();
    expect(await others).toEqual(['B', 'C']);
  });

  test('has no more groups at work than it may, and none that weighs more', async () => {
    const { work, begun } = grouped(5, 2, Number);
    const results = Promise.all(['3', '2', '1', '9', '4'].map((item) => work.do(item)));
    await settle();
    // One that is too heavy for any group has one of its own.
    expect(begun.map(({ items }) => items)).toEqual([['3', '2'], ['1']]);
    begun[1]?.end();
    await settle();
    expect(begun.map(({ items }) => items)).toEqual([['3', '2'], ['1'], ['9']]);
    begun[0]?.end();
    await settle();
    expect(begun.at(-1)?.items).toEqual(['4']);
    begun[2]?.end();
    begun[3]?.end();
    await results;
  });

  test('tells all of a group that it failed, and goes on with the next', async () => {
    const { work, begun } = grouped(2, 1);
    const results = Promise.allSettled(['a', 'b', 'c'].map((item) => work.do(item)));
    await settle();
    begun[0]?.fail(new Error('broken'));
    await settle();
    begun[1]?.end();
    const reason = new Error('broken');
    expect(await results).toEqual([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
      { status: 'fulfilled', value: 'C' },
    ]);
  });

  test('is idle when nothing is worked on and nothing waits, as soon as the last one knows', async () => {
    const { work, begun } = grouped(1, 1);
    expect(work.isIdle).toBe(true);
    const states: boolean[] = [];
    const ends = ['a', 'b'].map(async (item) => {
      await work.do(item);
      states.push(work.isIdle);
    });
    await settle();
    expect(work.isIdle).toBe(false);
    begun[0]?.end();
    await settle();
    begun[1]?.end();
    await Promise.all(ends);
    expect(states).toEqual([false, true]);
  });
});
