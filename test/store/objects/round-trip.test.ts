import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, test } from 'vitest';
import { ObjectStore, type PutSource } from '../../../src/index.ts';
import { collect, failure, MIB, newStore, objectFiles, read } from '../../support/store.ts';
import { seededBytes } from '../../support/bytes.ts';
import { tempFolder } from '../../support/temp.ts';

const SIZES = [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB - 1, 3 * MIB, 3 * MIB + 1];

/** Bytes cut into pieces of odd and changing sizes, with empty ones between. */
function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let from = 0, length = 1; from < bytes.length; from += length, length = (length * 7 + 13) % 200_003) {
    yield bytes.subarray(from, from + length);
    if (length % 2 === 0) yield Buffer.alloc(0);
  }
}

function fileWith(bytes: Uint8Array): string {
  const file = path.join(tempFolder(), 'source');
  fs.writeFileSync(file, bytes);
  return file;
}

const SOURCES: Record<string, (bytes: Buffer) => PutSource> = {
  path: fileWith,
  Buffer: (bytes) => bytes,
  Uint8Array: (bytes) => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length),
  Readable: (bytes) => Readable.from(pieces(bytes), { objectMode: false }),
  'web stream': (bytes) => ReadableStream.from<Uint8Array>(pieces(bytes)),
};

describe.each(Object.entries(SOURCES))('from a %s', (kind, sourceOf) => {
  test.each(SIZES)('%i bytes come back as they went in', async (size) => {
    const store = await newStore(3, { durability: kind === 'path' ? 'fsync' : 'none' });
    const bytes = seededBytes(size, `${kind} ${size}`);
    const { meta, offline, failed } = await store.put('bucket', 'key', sourceOf(bytes));
    expect({ offline, failed }).toEqual({ offline: [], failed: [] });
    expect(meta).toMatchObject({ size, bucket: 'bucket', key: 'key', redundancy: '1+0', chunkSize: MIB, parity: [] });
    expect(meta.chunks.map((chunk) => chunk.size)).toEqual(
      Array.from({ length: Math.ceil(size / MIB) }, (_, order) => Math.min(MIB, size - order * MIB)),
    );
    expect(bytes.equals(await read(store, 'key'))).toBe(true);
  });
});

test('a string stream is stored as UTF-8', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Readable.from(['grüß ', 'dich ', '🪣']));
  expect((await read(store, 'key')).toString('utf8')).toBe('grüß dich 🪣');
});

test('the content type is kept, and is application/octet-stream where none is given', async () => {
  const store = await newStore();
  await store.put('bucket', 'a', Buffer.from('{}'), { contentType: 'application/json' });
  await store.put('bucket', 'b', Buffer.from('{}'));
  expect((await store.head('bucket', 'a')).contentType).toBe('application/json');
  expect((await store.head('bucket', 'b')).contentType).toBe('application/octet-stream');
});

test('put, head and get tell of the same meta', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(MIB + 5, 1));
  expect(await store.head('bucket', 'key')).toEqual(meta);
  const got = await store.get('bucket', 'key');
  await collect(got.body);
  expect(got.meta).toEqual(meta);
});

test('another ObjectStore on the same folder, and one under a link to it, read what was put', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('hello'));
  const link = path.join(tempFolder(), 'link');
  fs.symlinkSync(store.root, link);
  for (const root of [store.root, link])
    expect((await read(await ObjectStore.open(root), 'key')).toString()).toBe('hello');
});

test('with fsync, for one upload or for the store, the bytes are the same', async () => {
  const store = await newStore(3, { durability: 'fsync' });
  const bytes = seededBytes(2 * MIB + 1, 'none');
  await store.put('bucket', 'key', bytes);
  await store.put('bucket', 'key2', bytes, { durability: 'none' });
  expect(bytes.equals(await read(store, 'key'))).toBe(true);
  expect(bytes.equals(await read(store, 'key2'))).toBe(true);
});

test.each([1, 2, 3, 8])('with a concurrency of %i the bytes are the same', async (concurrency) => {
  const store = await ObjectStore.open((await newStore()).root, { concurrency });
  const bytes = seededBytes(5 * MIB + 17, concurrency);
  await store.put('bucket', 'key', Readable.from(pieces(bytes), { objectMode: false }));
  expect(bytes.equals(await read(store, 'key'))).toBe(true);
});

test('a concurrency that is no whole number from 1 is a TypeError', async () => {
  const { root } = await newStore();
  for (const concurrency of [0, -1, 1.5, NaN, Infinity]) {
    await expect(ObjectStore.open(root, { concurrency })).rejects.toThrow(TypeError);
  }
});

test('memory that its owner uses for something else leaves no object that is damaged', async () => {
  const store = await newStore();
  const small = Buffer.alloc(3000);
  const all = Array.from({ length: 40 }, (_, index) => {
    small.fill(index);
    return store.put('bucket', `small${index}`, small);
  });
  const large = Buffer.alloc(5 * MIB);
  all.push(store.put('bucket', 'large', large));
  const isOver = { yet: false };
  const over = Promise.all(all).finally(() => (isOver.yet = true));
  for (let value = 1; !isOver.yet; value++) {
    small.fill(value);
    large.fill(value);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await over;
  for (const index of all.slice(1).keys())
    expect(await read(store, `small${index}`)).toEqual(Buffer.alloc(3000, index));
  expect(await read(store, 'large')).toHaveLength(large.length);
});

test('many objects whose items have one memory in common are stored as each was when it was asked for', async () => {
  const store = await newStore();
  const source = Buffer.alloc(3000);
  function* items() {
    for (let index = 0; index < 40; index++) {
      source.fill(index);
      yield { bucket: 'bucket', key: `key${index}`, source };
    }
  }
  for await (const outcome of store.putMany(items())) expect(outcome).toHaveProperty('result');
  for (let index = 0; index < 40; index++) expect(await read(store, `key${index}`)).toEqual(Buffer.alloc(3000, index));
});

test('onBytes adds up to the size, on the way in and out', async () => {
  const store = await newStore();
  const bytes = seededBytes(2 * MIB + 9, 'count');
  const counted = { put: 0, get: 0 };
  await store.put('bucket', 'key', bytes, { onBytes: (count) => (counted.put += count) });
  await read(store, 'key', { onBytes: (count) => (counted.get += count) });
  expect(counted).toEqual({ put: bytes.length, get: bytes.length });
});

test('a path that cannot be read is BAD_SOURCE and leaves nothing', async () => {
  const store = await newStore();
  const folder = tempFolder();
  for (const source of [
    path.join(folder, 'none'),
    folder,
    '/dev/null',
    path.join(fileWith(Buffer.from('x')), 'below'),
  ]) {
    expect(await failure(store.put('bucket', 'key', source))).toMatchObject({ code: 'BAD_SOURCE', path: source });
  }
  expect(objectFiles(store)).toEqual([]);
});

test.skipIf(process.platform !== 'linux')(
  'a file that says it has 0 bytes and has some (as in /proc) is stored whole or refused, never as an empty object',
  async () => {
    const store = await newStore();
    const expected = fs.readFileSync('/proc/version');
    const outcome = await store.put('bucket', 'key', '/proc/version').then(
      () => read(store, 'key'),
      () => 'refused',
    );
    expect(['refused', expected.toString()]).toContain(outcome.toString());
  },
);
