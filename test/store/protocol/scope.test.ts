import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { forEachKey, mapKeys } from '../../../src/store/protocol/scope.ts';
import { contextOf } from '../../support/context.ts';
import { newStore, takeAway } from '../../support/store.ts';

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const item of items) expect(item).toBeUndefined();
}

test.each([
  ['forEachKey', forEachKey],
  [
    'mapKeys',
    (...args: Parameters<typeof forEachKey>) => drain(mapKeys(...(args.slice(0, 4) as Parameters<typeof mapKeys>))),
  ],
])('%s: when one key fails, nobody is at work on another any more when that is known', async (_, run) => {
  const store = await newStore(3);
  for (let index = 0; index < 20; index++)
    await store.put('bucket', `key ${String(index).padStart(2, '0')}`, Buffer.from('x'));
  const context = await contextOf(store);
  const atWork = new Set<string>();
  let begun = 0;
  const work = run(context, await context.lookForReading(), {}, async (__, key) => {
    begun++;
    atWork.add(key);
    try {
      // Results come in the order of keys, so what fails is known when the first is done.
      for (let turns = key < 'key 02' ? 195 : 0; turns < 200; turns++) await turn();
      if (key === 'key 01') throw new Error('key 01');
    } finally {
      atWork.delete(key);
    }
  });
  await expect(work).rejects.toThrow('key 01');
  expect([...atWork]).toEqual([]);
  expect(begun).toBeLessThan(20);
});

test.each([
  ['forEachKey', forEachKey],
  ['mapKeys', (...args: Parameters<typeof forEachKey>) => drain(mapKeys(...(args as Parameters<typeof mapKeys>)))],
])('%s: who is content with what any disk says is so also at the end', async (_, run) => {
  const store = await newStore(3);
  await store.put('bucket', 'key', Buffer.from('x'));
  for (const disk of ['disk2', 'disk3']) takeAway(store, disk);
  const context = await contextOf(store);
  const view = await context.lookForReading(true);
  await expect(run(context, view, {}, () => Promise.resolve(), {})).rejects.toMatchObject({
    code: 'TOO_FEW_DISKS_TO_READ',
  });
  await run(context, view, {}, () => Promise.resolve(), { allowStale: true });
});
