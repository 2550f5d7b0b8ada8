import * as fs from 'node:fs';
import * as path from 'node:path';
import { createHash } from 'node:crypto';
import { expect, onTestFailed } from 'vitest';
import { stripesOf, type ObjectMeta, type ObjectStore, type ShardEntry } from '../../src/index.ts';
import { read } from './store.ts';

/** Ways for a shard's file not to be what it should be, and what `verify` calls them. */
export const SHARD_HARM = {
  gone: 'missing',
  'with a bit flipped': 'damaged',
  'with all its bytes zero': 'damaged',
  'cut short': 'damaged',
  'one byte too long': 'damaged',
} as const;

export type ShardHarm = keyof typeof SHARD_HARM;
export const SHARD_HARMS = Object.keys(SHARD_HARM) as ShardHarm[];

/** Absolute path of a chunk or a parity chunk. */
export function shardPath(store: ObjectStore, shard: ShardEntry): string {
  return path.join(store.root, shard.disk, shard.file);
}

export function harmShard(store: ObjectStore, shard: ShardEntry, harm: ShardHarm): void {
  const file = shardPath(store, shard);
  const bytes = fs.readFileSync(file);
  switch (harm) {
    case 'gone':
      fs.rmSync(file);
      return;
    case 'with a bit flipped':
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
      fs.writeFileSync(file, bytes);
      return;
    case 'with all its bytes zero':
      // Bytes that were zero before would be no damage.
      fs.writeFileSync(file, bytes.every((byte) => byte === 0) ? bytes.fill(1) : bytes.fill(0));
      return;
    case 'cut short':
      fs.truncateSync(file, bytes.length - 1);
      return;
    case 'one byte too long':
      fs.appendFileSync(file, 'x');
  }
}

/** All shards of an object. */
export function shardsIn(meta: ObjectMeta): ShardEntry[] {
  return [...meta.chunks, ...meta.parity];
}

/** Every way to choose `count` of the numbers below `total`. */
export function choices(total: number, count: number): number[][] {
  if (count === 0) return [[]];
  return Array.from({ length: total }, (_, last) => choices(last, count - 1).map((others) => [...others, last])).flat();
}

/** A source of numbers that look random. `REDUNDANCY_SEED` repeats a run; a test that fails says its seed. */
export class Dice {
  readonly #seed: string;
  #rolls = 0;

  constructor() {
    const seed = process.env['REDUNDANCY_SEED'] ?? String(Math.floor(Math.random() * 2 ** 32));
    this.#seed = seed;
    onTestFailed(() => {
      console.error(`REDUNDANCY_SEED=${seed}`);
    });
  }

  /** A whole number from 0 and below `limit`. */
  roll(limit: number): number {
    const digest = createHash('sha256').update(`${this.#seed} ${this.#rolls++}`).digest();
    return digest.readUInt32LE(0) % limit;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.roll(list.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  /** So many of the list, each once. */
  some<T>(list: readonly T[], count: number): T[] {
    const left = [...list];
    return Array.from({ length: count }, () => left.splice(this.roll(left.length), 1)).flat();
  }
}

/** That every object reads as what was put, byte for byte. */
export async function expectAll(store: ObjectStore, objects: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [key, bytes] of objects) {
    const got = await read(store, key);
    if (!got.equals(bytes)) throw new Error(`${key} reads wrong: ${got.length} bytes, ${bytes.length} expected`);
  }
}

/** That each shard of each stripe is on a disk of its own. */
export function expectDistinct(meta: ObjectMeta): void {
  for (const { chunks, parity } of stripesOf(meta)) {
    const disks = [...chunks, ...parity].map(({ disk }) => disk);
    if (parity.length > 0) expect(new Set(disks).size, disks.join()).toBe(disks.length);
  }
}

/** All metas of the bucket `bucket`. */
export async function metasOf(store: ObjectStore): Promise<ObjectMeta[]> {
  const metas: ObjectMeta[] = [];
  for await (const { key } of store.list('bucket')) metas.push(await store.head('bucket', key));
  return metas;
}

/** The whole of a report of `verify` or `heal` when all is as it should be. */
export const CLEAN = { degraded: 0, lost: 0, problems: 0 };

/** That a full `verify` has nothing to say, whatever the objects. */
export async function expectWhole(store: ObjectStore): Promise<void> {
  const words: string[] = [];
  const report = await store.verify({
    onObject: ({ key, problems }) => {
      for (const { reason } of problems) words.push(`${key}: ${reason}`);
    },
  });
  expect(words).toEqual([]);
  expect(report).toMatchObject(CLEAN);
  expect(report.whole).toBe(report.objects);
}
