import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Walk, type WalkedKey, type WalkedMeta } from '../../../src/store/protocol/walk.ts';
import { contextOf } from '../../support/context.ts';
import { newStore, takeAway } from '../../support/store.ts';

type Work = (walked: WalkedKey) => Promise<void>;

/** The two ways of working on all keys of a walk. */
const WAYS: [string, (walk: Walk, work: Work) => Promise<void>][] = [
  ['forEach', (walk, work) => walk.forEach(work)],
  [
    'map',
    async (walk, work) => {
      for await (const item of walk.map(work)) expect(item).toBeUndefined();
    },
  ],
];

test.each(WAYS)('%s: when one key fails, nobody is at work on another any more when that is known', async (_, run) => {
  const store = await newStore(3);
  for (let index = 0; index < 20; index++)
    await store.put('bucket', `key ${String(index).padStart(2, '0')}`, Buffer.from('x'));
  const context = await contextOf(store);
  const atWork = new Set<string>();
  let begun = 0;
  const work = run(new Walk(context, await context.lookForReading()), async ({ key }) => {
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

test.each(WAYS)('%s: who is content with what any disk says is so also at the end', async (_, run) => {
  const store = await newStore(3);
  await store.put('bucket', 'key', Buffer.from('x'));
  for (const disk of ['disk2', 'disk3']) takeAway(store, disk);
  const context = await contextOf(store);
  const view = await context.lookForReading(true);
  const nothing: Work = () => Promise.resolve();
  await expect(run(new Walk(context, view), nothing)).rejects.toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ' });
  await run(new Walk(context, view, {}, { allowStale: true }), nothing);
});

test.each(WAYS)('%s: a disk that goes while the last key is worked on is noticed', async (_, run) => {
  const store = await newStore(3);
  await store.put('bucket', 'key', Buffer.from('x'));
  const context = await contextOf(store);
  const work: Work = async () => {
    for (const disk of ['disk2', 'disk3']) takeAway(store, disk);
    return Promise.resolve();
  };
  const walk = new Walk(context, await context.lookForReading());
  await expect(run(walk, work)).rejects.toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ' });
});

test('keys come in their order with what each disk says of them, from the folders of a scope, and a folder is left when all in it has come', async () => {
  const store = await newStore(3);
  const long = `${'ä'.repeat(200)}/end`;
  const keys = ['a', 'a!', 'a/1', 'a/b/2', 'a0', 'b/3', long];
  for (const key of keys) await store.put('bucket', key, Buffer.from('x'));
  const back = takeAway(store, 'disk3');
  await store.put('bucket', 'a/b/c', Buffer.from('x'));
  await store.delete('bucket', 'b/3');
  back();
  const context = await contextOf(store);
  const view = await context.lookForReading();
  const events: string[] = [];
  const onLeft = async (folder: string): Promise<void> => {
    events.push(folder.slice('buckets/bucket'.length));
    return Promise.resolve();
  };
  const walk = new Walk(context, view, {}, { onLeft });
  const describe = ({ key, copies }: WalkedMeta): string =>
    `${key.slice(0, 10)} ${copies.map(({ disk, state }) => `${disk.name.slice(4)} ${state}`).join(', ')}`;
  for await (const slice of walk.metasIn(walk.top('bucket'), (metas) => metas.map(describe))) events.push(...slice);
  const whole = '1 valid, 2 valid, 3 valid';
  expect(events.slice(0, 10)).toEqual([
    `a ${whole}`,
    `a! ${whole}`,
    `a/1 ${whole}`,
    `a/b/2 ${whole}`,
    'a/b/c 1 valid, 2 valid, 3 absent',
    '/a/b',
    '/a',
    `a0 ${whole}`,
    `b/3 ${whole}`,
    '/b',
  ]);
  expect(events[10]).toBe(`${long.slice(0, 10)} ${whole}`);
  // The folder that its last part is in, and those that carry on its long segment.
  expect(events.slice(11).map((folder) => folder.split('/').length)).toEqual([3, 2]);
  const found: string[] = [];
  for await (const { key } of new Walk(context, view, { bucket: 'bucket', prefix: 'a/' }).keys('bucket'))
    found.push(key);
  expect(found).toEqual(['a/1', 'a/b/2', 'a/b/c']);
});
