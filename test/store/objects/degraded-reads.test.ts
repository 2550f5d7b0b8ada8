import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { stripesOf, type ObjectMeta, type ObjectStore, type ShardEntry } from '../../../src/index.ts';
import { seededBytes } from '../../support/bytes.ts';
import { choices, Dice, harmShard, SHARD_HARMS, shardPath } from '../../support/shards.ts';
import { failure, MIB, newStore, read } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

/** Puts shards back as they were before `work`. */
async function keeping(store: ObjectStore, shards: readonly ShardEntry[], work: () => Promise<void>): Promise<void> {
  const files = shards.map((shard) => [shardPath(store, shard), fs.readFileSync(shardPath(store, shard))] as const);
  await work();
  for (const [file, bytes] of files) fs.writeFileSync(file, bytes);
}

/** The shards at these places of every stripe; a short stripe has fewer places. */
function shardsAt(meta: ObjectMeta, places: readonly number[]): ShardEntry[] {
  return stripesOf(meta).flatMap(({ chunks, parity }) => {
    const shards = [...chunks, ...parity];
    return [...new Set(places.map((place) => place % shards.length))].flatMap((place) => shards[place] ?? []);
  });
}

function orders(shards: readonly ShardEntry[]): number[] {
  return shards.flatMap((shard) => ('order' in shard ? [shard.order] : [])).sort((a, b) => a - b);
}

const KINDS = [
  { redundancy: '1+1', data: 1, parity: 1, disks: 3 },
  { redundancy: '2+1', data: 2, parity: 1, disks: 4 },
  { redundancy: '4+2', data: 4, parity: 2, disks: 6 },
];

test.each(KINDS)(
  '$redundancy: any $parity of the shards of every stripe, hurt in any way, cost nothing but the work',
  async ({ redundancy, data, parity, disks }) => {
    const store = await newStore(disks, { redundancy });
    const dice = new Dice();
    const bytes = seededBytes((data + 1) * MIB + 12_345, redundancy);
    const { meta } = await store.put('bucket', 'key', bytes);
    const folder = tempFolder();
    const patterns = choices(data + parity, parity);
    // Every pattern with every harm where that is little; otherwise each with harms of chance.
    const rounds = patterns.length > 5 ? [undefined] : SHARD_HARMS;
    for (const pattern of patterns) {
      for (const harm of rounds) {
        const harmed = shardsAt(meta, pattern);
        await keeping(store, harmed, async () => {
          for (const shard of harmed) harmShard(store, shard, harm ?? dice.pick(SHARD_HARMS));
          const rebuilt: number[] = [];
          const onRebuilt = ({ order }: { order: number }): void => {
            rebuilt.push(order);
          };
          const got = await read(store, 'key', { onRebuilt });
          expect(got.equals(bytes), `${String(pattern)} ${harm}`).toBe(true);
          expect(rebuilt.sort((a, b) => a - b)).toEqual(orders(harmed));

          rebuilt.length = 0;
          const from = dice.roll(bytes.length);
          const to = from + dice.roll(bytes.length - from);
          const range = await read(store, 'key', { range: { from, to }, onRebuilt });
          expect(range.equals(bytes.subarray(from, to + 1)), `${from}-${to}`).toBe(true);
          const touched = orders(harmed).filter((order) => order * MIB <= to && (order + 1) * MIB > from);
          expect(rebuilt.sort((a, b) => a - b)).toEqual(touched);

          rebuilt.length = 0;
          await store.getToFile('bucket', 'key', path.join(folder, 'out'), { onRebuilt });
          expect(bytes.equals(fs.readFileSync(path.join(folder, 'out')))).toBe(true);
          expect(rebuilt.sort((a, b) => a - b)).toEqual(orders(harmed));
        });
      }
    }
    // Nothing of all that has changed what is there.
    const rebuilt: number[] = [];
    expect(bytes.equals(await read(store, 'key', { onRebuilt: ({ order }) => rebuilt.push(order) }))).toBe(true);
    expect(rebuilt).toEqual([]);
  },
);

test.each(KINDS)(
  '$redundancy: one shard more, and the error names the object, the bytes and the disks; nothing is handed out from there on',
  async ({ redundancy, data, parity, disks }) => {
    const store = await newStore(disks, { redundancy });
    const dice = new Dice();
    const bytes = seededBytes((2 * data + 1) * MIB - 7, redundancy);
    const { meta } = await store.put('bucket', 'key', bytes);
    await store.put('bucket', 'other', bytes);
    const folder = tempFolder();
    const stripe = stripesOf(meta)[1];
    if (stripe === undefined) throw new Error('there is one stripe only');
    const shards = [...stripe.chunks, ...stripe.parity];
    const patterns = choices(shards.length, parity + 1);
    for (const pattern of dice.some(patterns, Math.min(6, patterns.length))) {
      const harmed = pattern.flatMap((place) => shards[place] ?? []);
      const lost = harmed.flatMap((shard) => ('order' in shard ? [shard] : []));
      if (lost.length === 0) continue;
      await keeping(store, harmed, async () => {
        for (const shard of harmed) harmShard(store, shard, dice.pick(SHARD_HARMS));
        const [first, last] = [lost[0]?.order ?? 0, lost.at(-1)?.order ?? 0];
        const from = first * MIB;
        const to = last * MIB + (meta.chunks[last]?.size ?? 0);
        const given: Buffer[] = [];
        const reading = async (): Promise<void> => {
          for await (const piece of (await store.get('bucket', 'key')).body) given.push(piece as Buffer);
        };
        const toFile = failure(store.getToFile('bucket', 'key', path.join(folder, 'a/b/out')));
        for (const error of [await failure(reading()), await toFile]) {
          expect(['CHUNK_DAMAGED', 'CHUNK_UNAVAILABLE']).toContain(error.code);
          expect(error).toMatchObject({
            bucket: 'bucket',
            key: 'key',
            version: meta.version,
            from,
            to,
            chunk: first,
            disk: lost[0]?.disk,
          });
          expect((error['disks'] as string[]).sort()).toEqual(harmed.map(({ disk }) => disk).sort());
          expect(error.message).toContain(`bytes ${from}-${to - 1} of bucket/key`);
          for (const { disk } of harmed) expect(error.message).toContain(`"${disk}"`);
        }
        const head = Buffer.concat(given);
        expect(head.length).toBeLessThanOrEqual(from);
        expect(head.equals(bytes.subarray(0, head.length))).toBe(true);
        expect(fs.readdirSync(folder)).toEqual([]);
        // Ranges beside the lost bytes read, and so does every other object.
        expect(
          (await read(store, 'key', { range: { from: 0, to: data * MIB - 1 } })).equals(bytes.subarray(0, data * MIB)),
        ).toBe(true);
        expect(
          (await read(store, 'key', { range: { from: 2 * data * MIB, to: bytes.length - 1 } })).equals(
            bytes.subarray(2 * data * MIB),
          ),
        ).toBe(true);
      });
    }
    expect((await read(store, 'other')).equals(bytes)).toBe(true);
  },
);

test('parity that lies, beside a chunk that is lost, is found out: another row is used, or the read fails', async () => {
  const store = await newStore(4, { redundancy: '2+2' });
  const bytes = seededBytes(2 * MIB, 'lies');
  const { meta } = await store.put('bucket', 'key', bytes);
  const [chunk] = meta.chunks;
  const [first, second] = meta.parity;
  if (chunk === undefined || first === undefined || second === undefined) throw new Error('no shards');
  harmShard(store, chunk, 'gone');
  harmShard(store, first, 'with a bit flipped');
  expect((await read(store, 'key')).equals(bytes)).toBe(true);
  harmShard(store, second, 'with a bit flipped');
  expect(await failure(read(store, 'key'))).toMatchObject({ from: 0, to: MIB });
});
