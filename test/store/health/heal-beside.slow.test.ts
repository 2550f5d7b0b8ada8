import { expect, test } from 'vitest';
import { isStoreError, ObjectStore, stripesOf } from '../../../src/index.ts';
import { seededBytes } from '../../support/bytes.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { Dice, expectAll, expectDistinct, expectWhole, harmShard, metasOf } from '../../support/shards.ts';
import { MIB, newStore, objectFiles, read, takeAway } from '../../support/store.ts';

const COMPANY: Record<string, (store: ObjectStore) => Promise<unknown>> = {
  heal: (store) => store.heal(),
  'two heals': async (store) => Promise.all([store.heal(), (await ObjectStore.open(store.root)).heal()]),
  'heal, gc and verify': (store) => Promise.all([store.heal(), store.gc(), store.verify()]),
  'drain and cancel': async (store) => {
    await store.drainDisk('disk2');
    await store.cancelDrain('disk2');
  },
  rebalance: (store) => store.rebalance(),
  'drain, gc and heal': async (store) => {
    await Promise.all([store.drainDisk('disk1'), store.gc(), store.heal()]);
    await store.cancelDrain('disk1');
  },
};

test.each(Object.keys(COMPANY))(
  '%s beside uploads, overwrites, reads and deletes: nobody gets a wrong byte, and all is whole at the end',
  async (kind) => {
    const store = await newStore(5, { redundancy: '2+1' });
    const other = await ObjectStore.open(store.root);
    const dice = new Dice();
    const still = new Map<string, Buffer>();
    for (let index = 0; index < 3; index++)
      still.set(`still ${index}`, seededBytes((index + 1) * MIB - index * 7, `still ${index}`));
    for (const [key, bytes] of still) {
      const { meta } = await store.put('bucket', key, bytes);
      for (const { chunks, parity } of stripesOf(meta)) {
        const shard = dice.pick([...chunks, ...parity]);
        harmShard(store, shard, dice.pick(['gone', 'with a bit flipped', 'cut short'] as const));
      }
    }
    const state = { isOver: false, turns: 0 };
    const live = new Map<string, Buffer>();
    const writer = async (name: string, mine: ObjectStore): Promise<void> => {
      for (let turn = 0; !state.isOver || turn < 4; turn++) {
        const key = `live ${name} ${turn % 3}`;
        if (live.has(key) && turn % 4 === 3) {
          await mine.delete('bucket', key);
          live.delete(key);
        } else {
          const bytes = seededBytes(turn % 4 === 0 ? MIB + turn : turn, `${key} ${turn}`);
          const { meta, unwritten } = await mine.put('bucket', key, bytes);
          live.set(key, bytes);
          expectDistinct(meta);
          expect(unwritten).toEqual([]);
        }
        state.turns++;
      }
    };
    const reader = async (mine: ObjectStore): Promise<void> => {
      for (let turn = 0; !state.isOver || turn < 4; turn++) {
        for (const [key, bytes] of still) {
          if (!(await read(mine, key)).equals(bytes)) throw new Error(`${key} reads wrong`);
        }
        for await (const { key } of mine.list('bucket', { prefix: 'live' })) {
          await read(mine, key).catch((error: unknown) => {
            if (!isStoreError(error, 'NO_SUCH_KEY')) throw error;
          });
        }
      }
    };
    const work = async (): Promise<void> => {
      try {
        await COMPANY[kind]?.(dice.pick([store, other]));
      } finally {
        state.isOver = true;
      }
    };
    await Promise.all([work(), writer('a', store), writer('b', other), reader(store), reader(other)]);
    const report = await store.heal();
    expect(report).toMatchObject({ degraded: 0, lost: 0, problems: 0, failed: [] });
    await expectWhole(store);
    const all = new Map([...still, ...live]);
    await expectAll(store, all);
    for (const meta of await metasOf(store)) expectDistinct(meta);
    // A body closes after its last byte, so a version may be in use for a moment more.
    await expect.poll(() => store.gc()).toEqual(NOTHING_TO_DO);
    let files = 0;
    for (const meta of await metasOf(store)) files += 5 + meta.chunks.length + meta.parity.length;
    expect(objectFiles(store).length).toBe(files);
    const back = takeAway(store, dice.pick(['disk1', 'disk2', 'disk3', 'disk4', 'disk5']));
    await expectAll(store, all);
    back();
  },
);
