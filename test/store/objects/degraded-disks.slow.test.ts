import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { stripesOf, type ObjectStore } from '../../../src/index.ts';
import { seededBytes } from '../../support/bytes.ts';
import { choices, Dice, expectAll } from '../../support/shards.ts';
import { diskNames, failure, keysOf, MIB, newStore, read, takeAway } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

const KINDS = [
  { redundancy: '1+1', data: 1, parity: 1, disks: 3 },
  { redundancy: '2+1', data: 2, parity: 1, disks: 4 },
  { redundancy: '4+2', data: 4, parity: 2, disks: 7 },
  { redundancy: '1+2', data: 1, parity: 2, disks: 5 },
];

async function filled(
  disks: number,
  redundancy: string,
  data: number,
): Promise<{ store: ObjectStore; objects: Map<string, Buffer> }> {
  const store = await newStore(disks, { redundancy });
  const objects = new Map<string, Buffer>();
  const sizes = [0, 1, MIB, MIB + 1, data * MIB, data * MIB + 1];
  for (let index = 0; index < sizes.length; index++)
    objects.set(`key ${index}`, seededBytes(sizes[index % sizes.length] ?? 0, index));
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes);
  return { store, objects };
}

/** Each makes the given disks offline, and gives back what makes them as they were. */
const HARMS: Record<
  string,
  { least: number; status: string; harm: (store: ObjectStore, disks: string[]) => Promise<() => void> }
> = {
  'taken away': {
    least: 1,
    status: 'missing',
    harm: (store, disks) => {
      const back = disks.map((disk) => takeAway(store, disk));
      return Promise.resolve(() => {
        for (const put of back) put();
      });
    },
  },
  emptied: {
    least: 1,
    status: 'empty',
    harm: (store, disks) => {
      const back = disks.map((disk) => takeAway(store, disk));
      for (const disk of disks) fs.mkdirSync(path.join(store.root, disk));
      return Promise.resolve(() => {
        for (const disk of disks) fs.rmdirSync(path.join(store.root, disk));
        for (const put of back) put();
      });
    },
  },
  'exchanged with one another': {
    least: 2,
    status: 'swapped',
    harm: (store, disks) => {
      const turn = (by: number): void => {
        for (const disk of disks) fs.renameSync(path.join(store.root, disk), path.join(store.root, `${disk} turning`));
        disks.forEach((disk, index) => {
          fs.renameSync(
            path.join(store.root, `${disk} turning`),
            path.join(store.root, disks[(index + by + disks.length) % disks.length] ?? ''),
          );
        });
      };
      turn(1);
      return Promise.resolve(() => {
        turn(-1);
      });
    },
  },
  'those of another store, with objects of the same names': {
    least: 1,
    status: 'foreign',
    harm: async (store, disks) => {
      const other = await newStore(diskNames(store).length);
      for (const key of await keysOf(store)) await other.put('bucket', key, Buffer.from('foreign'));
      const back = disks.map((disk) => takeAway(store, disk));
      for (const disk of disks) fs.renameSync(path.join(other.root, disk), path.join(store.root, disk));
      return () => {
        for (const disk of disks) fs.rmSync(path.join(store.root, disk), { recursive: true });
        for (const put of back) put();
      };
    },
  },
};

const CASES = KINDS.flatMap((kind) =>
  Object.entries(HARMS)
    .filter(([, { least }]) => least <= kind.parity)
    .map(([harm]) => ({ ...kind, harm })),
);

test.each(CASES)(
  '$redundancy on $disks disks: with any $parity disks $harm every object reads, and what was rebuilt is told',
  async ({ redundancy, data, parity, disks, harm }) => {
    const { store, objects } = await filled(disks, redundancy, data);
    const folder = tempFolder();
    const dice = new Dice();
    const all = choices(disks, parity);
    // All of them where they are few.
    const patterns = dice.some(all, Math.min(all.length, harm.startsWith('those') ? 2 : 6));
    for (const pattern of patterns) {
      const gone = pattern.map((index) => `disk${index + 1}`);
      const back = await (HARMS[harm]?.harm(store, gone) ?? Promise.resolve(() => undefined));
      const states = await store.disks();
      expect(
        states.filter(({ state }) => state.status !== 'online').map(({ disk, state }) => [disk, state.status]),
      ).toEqual(gone.map((disk) => [disk, HARMS[harm]?.status]));
      for (const [key, bytes] of objects) {
        const rebuilt: number[] = [];
        expect(
          (await read(store, key, { onRebuilt: ({ order }) => rebuilt.push(order) })).equals(bytes),
          `${key} ${gone.join()}`,
        ).toBe(true);
        const meta = await store.head('bucket', key);
        expect(rebuilt.sort((a, b) => a - b)).toEqual(
          meta.chunks.filter(({ disk }) => gone.includes(disk)).map(({ order }) => order),
        );
      }
      const [key, bytes] = [...objects].at(-1) ?? ['', Buffer.alloc(0)];
      await store.getToFile('bucket', key, path.join(folder, 'out'));
      expect(bytes.equals(fs.readFileSync(path.join(folder, 'out')))).toBe(true);
      const middle = { from: bytes.length >> 2, to: (bytes.length >> 2) * 3 };
      expect((await read(store, key, { range: middle })).equals(bytes.subarray(middle.from, middle.to + 1))).toBe(true);
      back();
    }
    await expectAll(store, objects);
  },
);

test.each(KINDS.filter(({ parity, disks }) => disks - parity - 1 >= Math.ceil(disks / 2)))(
  '$redundancy on $disks disks: with one disk more away, the objects that have lost too much are named with bytes and disks; the others read',
  async ({ redundancy, data, parity, disks }) => {
    const { store, objects } = await filled(disks, redundancy, data);
    const folder = tempFolder();
    let losses = 0;
    const dice = new Dice();
    const all = choices(disks, parity + 1);
    for (const pattern of dice.some(all, Math.min(all.length, 6))) {
      const gone = pattern.map((index) => `disk${index + 1}`);
      const back = gone.map((disk) => takeAway(store, disk));
      for (const [key, bytes] of objects) {
        const stripes = stripesOf(await store.head('bucket', key));
        const lost = stripes.find(
          ({ chunks, parity: rows }) =>
            [...chunks, ...rows].filter(({ disk }) => gone.includes(disk)).length > rows.length &&
            chunks.some(({ disk }) => gone.includes(disk)),
        );
        if (lost === undefined) {
          expect((await read(store, key)).equals(bytes), `${key} ${gone.join()}`).toBe(true);
          continue;
        }
        losses++;
        const hurt = [...lost.chunks, ...lost.parity].filter(({ disk }) => gone.includes(disk)).map(({ disk }) => disk);
        // Known before the first byte: there is no body at all.
        for (const error of [
          await failure(store.get('bucket', key)),
          await failure(store.getToFile('bucket', key, path.join(folder, 'out'))),
        ]) {
          expect(error).toMatchObject({ code: 'CHUNK_UNAVAILABLE', bucket: 'bucket', key });
          expect((error['disks'] as string[]).sort()).toEqual([...hurt].sort());
          expect(error.message).toMatch(/^bytes \d+-\d+ of bucket\/key/);
        }
        expect(fs.readdirSync(folder)).toEqual([]);
      }
      for (const put of back) put();
    }
    expect(losses).toBeGreaterThan(0);
    await expectAll(store, objects);
  },
);
