import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/index.ts';
import { Balance } from '../../../src/store/fleet/balance.ts';
import { moveAll } from '../../../src/store/fleet/move.ts';
import { seededBytes } from '../../support/bytes.ts';
import { contextOf, gate } from '../../support/context.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { expectAll, expectWhole, metasOf, shardsIn } from '../../support/shards.ts';
import { MIB, newStore, takeAway } from '../../support/store.ts';

/** A rebalance to the new `disk4` that stops once it knows the disks, on the way to its first object. */
async function rebalancing(
  store: ObjectStore,
  redundancy: string,
): Promise<{ objects: Map<string, Buffer>; end: () => Promise<unknown> }> {
  const objects = new Map([['key', seededBytes(8 * MIB, 'moving')]]);
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes, { redundancy });
  await store.addDisk('disk4', path.join(store.root, 'disk4'));
  const begun = gate();
  const going = gate();
  const context = await contextOf(store);
  const look = context.lookForWriting.bind(context);
  let looks = 0;
  context.lookForWriting = async () => {
    // The first look is that of the whole rebalance, the others are those of its objects.
    if (++looks > 1) {
      begun.open();
      await going.opened;
    }
    return look();
  };
  const moving = moveAll(context, {}, (view) => Balance.of(context, view));
  await begun.opened;
  return {
    objects,
    end: () => {
      going.open();
      return moving;
    },
  };
}

test.each(['1+0', '1+1', '2+1'])(
  '%s: chunks that are on their way to a disk that has been drained and removed meanwhile stay where they are',
  async (redundancy) => {
    const store = await newStore(3);
    const { objects, end } = await rebalancing(store, redundancy);
    await store.drainDisk('disk4');
    await store.removeDisk('disk4');
    await end().catch(() => undefined);
    expect((await metasOf(store)).flatMap(shardsIn).map(({ disk }) => disk)).not.toContain('disk4');
    await expectAll(store, objects);
    await store.gc();
    await expectAll(store, objects);
    await expectWhole(store);
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
  },
);

test('chunks that are on their way to a disk that is being drained by now stay where they are, so that the drain is an end', async () => {
  const store = await newStore(3);
  const { objects, end } = await rebalancing(store, '1+0');
  expect(await store.drainDisk('disk4')).toMatchObject({ failed: [] });
  await end();
  expect((await metasOf(store)).flatMap(shardsIn).map(({ disk }) => disk)).not.toContain('disk4');
  await expectAll(store, objects);
  await store.removeDisk('disk4');
  await expectWhole(store);
});

test('chunks that are on their way to a disk that has been lost and replaced meanwhile stay where they are', async () => {
  const store = await newStore(3);
  const { objects, end } = await rebalancing(store, '1+0');
  const before = (await metasOf(store)).flatMap(shardsIn).map(({ disk }) => disk);
  takeAway(store, 'disk4');
  await store.replaceDisk('disk4');
  await end().catch(() => undefined);
  await expectAll(store, objects);
  expect(before).not.toContain('disk4');
  await store.heal();
  await expectWhole(store);
  expect(fs.existsSync(path.join(store.root, 'disk4', 'disk.json'))).toBe(true);
});
