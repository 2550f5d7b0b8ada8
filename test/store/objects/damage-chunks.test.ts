import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import type { ObjectMeta, ObjectStore } from '../../../src/index.ts';
import { chunkPath, failure, filesIn, MIB, newStore, read } from '../../support/store.ts';
import { seededBytes } from '../../support/bytes.ts';
import { tempFolder } from '../../support/temp.ts';

const BYTES = seededBytes(2 * MIB + 5, 'damage');

function flip(file: string, offset: number): void {
  const bytes = fs.readFileSync(file);
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  fs.writeFileSync(file, bytes);
}

/** Kinds of damage to chunk `order`; `orders` are the chunks that suffer from it. */
const DAMAGE: Record<
  string,
  { code: string; harm: (store: ObjectStore, meta: ObjectMeta, order: number) => number[] }
> = {
  'its first bit flipped': {
    code: 'CHUNK_DAMAGED',
    harm: (store, meta, order) => (flip(chunkPath(store, meta, order), 0), [order]),
  },
  'a bit of its last byte flipped': {
    code: 'CHUNK_DAMAGED',
    harm: (store, meta, order) => {
      const file = chunkPath(store, meta, order);
      flip(file, fs.statSync(file).size - 1);
      return [order];
    },
  },
  'its last byte cut off': {
    code: 'CHUNK_DAMAGED',
    harm: (store, meta, order) => {
      const file = chunkPath(store, meta, order);
      fs.truncateSync(file, fs.statSync(file).size - 1);
      return [order];
    },
  },
  'no bytes left': {
    code: 'CHUNK_DAMAGED',
    harm: (store, meta, order) => (fs.truncateSync(chunkPath(store, meta, order)), [order]),
  },
  'one byte too many': {
    code: 'CHUNK_DAMAGED',
    harm: (store, meta, order) => (fs.appendFileSync(chunkPath(store, meta, order), 'x'), [order]),
  },
  'twice its bytes': {
    code: 'CHUNK_DAMAGED',
    harm: (store, meta, order) => {
      const file = chunkPath(store, meta, order);
      fs.appendFileSync(file, fs.readFileSync(file));
      return [order];
    },
  },
  'all its bytes zero': {
    code: 'CHUNK_DAMAGED',
    harm: (store, meta, order) => {
      const file = chunkPath(store, meta, order);
      fs.writeFileSync(file, Buffer.alloc(fs.statSync(file).size));
      return [order];
    },
  },
  'its place taken by the next chunk and the other way round': {
    code: 'CHUNK_DAMAGED',
    harm: (store, meta, order) => {
      const other = (order + 1) % meta.chunks.length;
      const [a, b] = [chunkPath(store, meta, order), chunkPath(store, meta, other)];
      const bytes = fs.readFileSync(a);
      fs.copyFileSync(b, a);
      fs.writeFileSync(b, bytes);
      return [order, other];
    },
  },
  'its file gone': {
    code: 'CHUNK_UNAVAILABLE',
    harm: (store, meta, order) => (fs.rmSync(chunkPath(store, meta, order)), [order]),
  },
  'its folder gone': {
    code: 'CHUNK_UNAVAILABLE',
    harm: (store, meta, order) => {
      const folder = path.dirname(chunkPath(store, meta, order));
      fs.rmSync(folder, { recursive: true });
      const disk = meta.chunks[order]?.disk;
      return meta.chunks.filter((chunk) => chunk.disk === disk).map((chunk) => chunk.order);
    },
  },
  'a folder in its place': {
    code: 'CHUNK_UNAVAILABLE',
    harm: (store, meta, order) => {
      fs.rmSync(chunkPath(store, meta, order));
      fs.mkdirSync(chunkPath(store, meta, order));
      return [order];
    },
  },
};

const CASES = Object.keys(DAMAGE).flatMap((kind) => [0, 1, 2].map((order) => [order, kind] as const));

test.each(CASES)(
  'chunk %i with %s: an error that names chunk and disk, and never a wrong byte',
  async (order, kind) => {
    const store = await newStore();
    const { meta } = await store.put('bucket', 'key', BYTES);
    const { harm, code } = DAMAGE[kind] ?? { harm: () => [], code: '' };
    const harmed = harm(store, meta, order);

    const { body } = await store.get('bucket', 'key');
    const given: Buffer[] = [];
    const reading = async (): Promise<void> => {
      for await (const piece of body) given.push(piece as Buffer);
    };
    const error = await failure(reading());
    expect(harmed).toContain(error['chunk']);
    expect(error).toMatchObject({
      code,
      bucket: 'bucket',
      key: 'key',
      version: meta.version,
      disk: meta.chunks[Number(error['chunk'])]?.disk,
    });
    expect(error.message).toContain(`chunk ${String(error['chunk'])}`);
    expect(error.message).toContain(`"${String(error['disk'])}"`);
    // What was handed out before is the object's beginning, up to the damage at most.
    const bytes = Buffer.concat(given);
    expect(bytes.length).toBeLessThanOrEqual(Math.min(...harmed) * MIB);
    expect(bytes.equals(BYTES.subarray(0, bytes.length))).toBe(true);

    const folder = tempFolder();
    const toFile = await failure(store.getToFile('bucket', 'key', path.join(folder, 'out')));
    expect(toFile.code).toBe(code);
    expect(harmed).toContain(toFile['chunk']);
    expect(fs.readdirSync(folder)).toEqual([]);

    await store.put('bucket', 'key', BYTES);
    expect(BYTES.equals(await read(store, 'key'))).toBe(true);
  },
);

test('chunks exchanged between two objects of the same size are told apart', async () => {
  const store = await newStore(1);
  const { meta: one } = await store.put('bucket', 'one', seededBytes(MIB, 'one'));
  const { meta: two } = await store.put('bucket', 'two', seededBytes(MIB, 'two'));
  const bytes = fs.readFileSync(chunkPath(store, one, 0));
  fs.copyFileSync(chunkPath(store, two, 0), chunkPath(store, one, 0));
  fs.writeFileSync(chunkPath(store, two, 0), bytes);
  for (const key of ['one', 'two'])
    expect(await failure(read(store, key))).toMatchObject({ code: 'CHUNK_DAMAGED', key, chunk: 0 });
});

test('the chunks of the version before in the place of the new ones are told apart', async () => {
  const store = await newStore(1);
  const { meta: old } = await store.put('bucket', 'key', seededBytes(MIB, 'old'));
  const bytes = fs.readFileSync(chunkPath(store, old, 0));
  const { meta } = await store.put('bucket', 'key', seededBytes(MIB, 'new'));
  fs.writeFileSync(chunkPath(store, meta, 0), bytes);
  expect(await failure(read(store, 'key'))).toMatchObject({ code: 'CHUNK_DAMAGED', version: meta.version });
});

test('an object with a damaged chunk can be deleted, and nothing stays', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', BYTES);
  fs.truncateSync(chunkPath(store, meta, 0), 3);
  fs.rmSync(chunkPath(store, meta, 1));
  await store.delete('bucket', 'key');
  await store.deleteBucket('bucket');
  for (const disk of ['disk1', 'disk2', 'disk3']) {
    expect(filesIn(path.join(store.root, disk, 'chunks'))).toEqual([]);
    expect(fs.readdirSync(path.join(store.root, disk, 'buckets'))).toEqual([]);
  }
});
