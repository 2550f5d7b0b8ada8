import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/index.ts';
import {
  diskNames,
  failure,
  forge,
  keysOf,
  metaCopies,
  MIB,
  newStore,
  read,
  tree,
  type MetaCopy,
} from '../../support/store.ts';
import { chunkFile } from '../../../src/metadata/shard-file.ts';
import { seededBytes } from '../../support/bytes.ts';
import { tempFolder } from '../../support/temp.ts';

const OLD = Buffer.from('the version before');
const NEW = seededBytes(MIB + 3, 'new');

/** What can happen to a copy of a meta. `stale` is the copy that was there before the last overwrite. */
const DAMAGE: Record<string, (copy: MetaCopy, stale: MetaCopy, other: MetaCopy) => void> = {
  'flipped in a bit': ({ file, text }) => {
    fs.writeFileSync(file, text.replace('"size"', '"sizf"'));
  },
  'changed in a digit of its version': ({ file, text }) => {
    fs.writeFileSync(file, text.replace(/"version": "./, '"version": "f'));
  },
  'cut short': ({ file, text }) => {
    fs.writeFileSync(file, text.slice(0, -10));
  },
  'cut to nothing': ({ file }) => {
    fs.truncateSync(file);
  },
  'followed by something': ({ file }) => {
    fs.appendFileSync(file, '{}');
  },
  'no JSON': ({ file }) => {
    fs.writeFileSync(file, 'meta');
  },
  null: ({ file }) => {
    fs.writeFileSync(file, 'null');
  },
  'a list': ({ file }) => {
    fs.writeFileSync(file, '[]');
  },
  missing: ({ file }) => {
    fs.rmSync(file);
  },
  'a folder': ({ file }) => {
    fs.rmSync(file);
    fs.mkdirSync(file);
  },
  'the one of the version before': ({ file }, stale) => {
    fs.writeFileSync(file, stale.text);
  },
  'the one of another key': ({ file }, _stale, other) => {
    fs.writeFileSync(file, other.text);
  },
};

/** A store where `key` has been overwritten; the copies of now and before, and of another key. */
async function overwritten(): Promise<{
  store: ObjectStore;
  copies: MetaCopy[];
  stale: MetaCopy[];
  other: MetaCopy[];
}> {
  const store = await newStore();
  await store.put('bucket', 'other', Buffer.from('other'));
  await store.put('bucket', 'key', OLD);
  const stale = metaCopies(store, 'key');
  await store.put('bucket', 'key', NEW);
  return { store, stale, copies: metaCopies(store, 'key'), other: metaCopies(store, 'other') };
}

function at(copies: MetaCopy[], index: number): MetaCopy {
  const copy = copies[index];
  if (copy === undefined) throw new Error(`there is no copy ${index}`);
  return copy;
}

const ONE = Object.keys(DAMAGE).flatMap((kind) => [0, 1, 2].map((index) => [index, kind] as const));

test.each(ONE)(
  'meta copy %i that is %s is not noticed by any reader, and mended by the next upload',
  async (index, kind) => {
    const { store, copies, stale, other } = await overwritten();
    const { version } = await store.head('bucket', 'key');
    DAMAGE[kind]?.(at(copies, index), at(stale, index), at(other, index));
    expect((await store.head('bucket', 'key')).version).toBe(version);
    expect(NEW.equals(await read(store, 'key'))).toBe(true);
    const file = path.join(tempFolder(), 'out');
    await store.getToFile('bucket', 'key', file);
    expect(NEW.equals(fs.readFileSync(file))).toBe(true);
    expect(await keysOf(store)).toEqual(['key', 'other']);
    expect((await read(store, 'other')).toString()).toBe('other');
    if (kind === 'a folder') return;
    await store.put('bucket', 'key', Buffer.from('again'));
    const texts = metaCopies(store, 'key').map(({ text }) => text);
    expect([texts.length, new Set(texts).size]).toEqual([3, 1]);
  },
);

test.each(Object.keys(DAMAGE).filter((kind) => kind !== 'missing' && kind !== 'the one of the version before'))(
  'all meta copies %s: META_DAMAGED (or unreadable) to every reader, never wrong bytes; uploading again mends it',
  async (kind) => {
    const { store, copies, stale, other } = await overwritten();
    copies.forEach((copy, index) => DAMAGE[kind]?.(copy, at(stale, index), at(other, index)));
    // A folder is not a damaged document, it is a disk that cannot answer.
    const code = kind === 'a folder' ? 'TOO_FEW_DISKS_TO_READ' : 'META_DAMAGED';
    const file = path.join(tempFolder(), 'out');
    const readers = [store.head('bucket', 'key'), store.get('bucket', 'key'), store.getToFile('bucket', 'key', file)];
    for (const error of await Promise.all(readers.map(failure))) {
      expect(error.code).toBe(code);
      expect(diskNames(store)).toContain(error['disk']);
      expect(error.message).toContain(String(error['disk']));
    }
    expect(fs.existsSync(file)).toBe(false);
    if (kind === 'a folder') return;
    await store.put('bucket', 'key', Buffer.from('again'));
    expect((await read(store, 'key')).toString()).toBe('again');
    expect(await keysOf(store)).toEqual(['key', 'other']);
  },
);

test('after uploading over metas that were all damaged, gc reclaims the chunks of the lost version', async () => {
  const { store, copies } = await overwritten();
  for (const { file } of copies) fs.writeFileSync(file, 'damaged');
  await store.put('bucket', 'key', Buffer.from('again'));
  expect(await store.gc()).toMatchObject({ leftoverChunks: 2, leftoverBytes: NEW.length, kept: [] });
  expect((await read(store, 'key')).toString()).toBe('again');
});

test('two of three copies missing: the one that is left is found', async () => {
  const { store, copies } = await overwritten();
  for (const { file } of copies.slice(0, 2)) fs.rmSync(file);
  expect(NEW.equals(await read(store, 'key'))).toBe(true);
});

test('two of three copies damaged: META_DAMAGED, because the third alone may be stale', async () => {
  const { store, copies, stale } = await overwritten();
  fs.writeFileSync(at(copies, 0).file, 'damaged');
  fs.writeFileSync(at(copies, 1).file, 'damaged');
  fs.writeFileSync(at(copies, 2).file, at(stale, 2).text);
  expect((await failure(store.head('bucket', 'key'))).code).toBe('META_DAMAGED');
  expect((await store.head('bucket', 'key', { allowStale: true })).size).toBe(OLD.length);
});

type Document = Record<string, unknown> & { chunks: Record<string, unknown>[] };

/** A chunk's file name, as far as that goes. */
const SECRET = path.basename(chunkFile('01990000-0000-7000-8000-000000000001', 0));

/** Forgeries: the checksum is right, what the meta says is not. */
const FORGERIES: Record<string, (meta: Document) => unknown> = {
  'a file above the store': (meta) => (firstChunk(meta)['file'] = '../../secret/000000.chunk'),
  'a file that goes up and down again': (meta) => (firstChunk(meta)['file'] = 'chunks/../../../secret/000000.chunk'),
  'a fan-out folder that leads up': (meta) => (firstChunk(meta)['file'] = `chunks/../../../secret/${SECRET}`),
  'a file in the folder of another upload': (meta) =>
    (firstChunk(meta)['file'] = String(firstChunk(meta)['file']).replace(/^chunks\/../, 'chunks/zz')),
  'an absolute file': (meta) => (firstChunk(meta)['file'] = '/etc/passwd'),
  'an empty file': (meta) => (firstChunk(meta)['file'] = ''),
  'a file that is the chunks folder': (meta) => (firstChunk(meta)['file'] = 'chunks/'),
  'a file name with a newline': (meta) => (firstChunk(meta)['file'] = `${String(firstChunk(meta)['file'])}\n`),
  'a disk above': (meta) => (firstChunk(meta)['disk'] = '..'),
  'an absolute disk': (meta) => (firstChunk(meta)['disk'] = '/tmp'),
  'a disk that the store does not have': (meta) => (firstChunk(meta)['disk'] = 'disk9'),
  'a disk named __proto__': (meta) => (firstChunk(meta)['disk'] = '__proto__'),
  'sizes that do not add up': (meta) => (meta['size'] = 1),
  'a negative chunk size': (meta) => (firstChunk(meta)['size'] = -5),
  'a chunk of 32 TiB': (meta) => {
    firstChunk(meta)['size'] = 2 ** 45;
    meta['size'] = meta.chunks.reduce((sum, chunk) => sum + Number(chunk['size']), 0);
  },
  'a hash that is none': (meta) => (firstChunk(meta)['sha256'] = 'x'),
  'the hash of other bytes': (meta) => (firstChunk(meta)['sha256'] = '0'.repeat(64)),
  'chunks in another order': (meta) => meta.chunks.reverse(),
  'a chunk twice': (meta) => meta.chunks.push(firstChunk(meta)),
  'no chunks': (meta) => (meta.chunks = []),
  'a version that is none': (meta) => (meta['version'] = 'latest'),
  'a version from the year 10,000': (meta) => (meta['version'] = 'ffffffff-ffff-7fff-bfff-ffffffffffff'),
  'another key': (meta) => (meta['key'] = 'other'),
  'another bucket': (meta) => (meta['bucket'] = 'other'),
};

function firstChunk(meta: Document): Record<string, unknown> {
  const chunk = meta.chunks[0];
  if (chunk === undefined) throw new Error('the meta has no chunks');
  return chunk;
}

test.each(Object.keys(FORGERIES))(
  'a meta with a right checksum and %s is refused, and read from nowhere',
  async (kind) => {
    const { store, copies } = await overwritten();
    // The object's own bytes, outside: a reader that follows the path would find that their hashes are right.
    const secret = path.join(store.root, '..', 'secret');
    fs.mkdirSync(secret);
    fs.writeFileSync(path.join(secret, '000000.chunk'), NEW.subarray(0, MIB));
    fs.writeFileSync(path.join(secret, '000001.chunk'), NEW.subarray(MIB));
    fs.writeFileSync(path.join(secret, SECRET), NEW.subarray(0, MIB));
    for (const { file } of copies) forge(file, (meta) => FORGERIES[kind]?.(meta as Document));
    const before = tree(path.dirname(store.root));
    const target = path.join(tempFolder(), 'out');
    const outcomes = await Promise.all([
      failure(read(store, 'key')),
      failure(store.getToFile('bucket', 'key', target)),
    ]);
    for (const { code } of outcomes) expect(['META_DAMAGED', 'CHUNK_UNAVAILABLE', 'CHUNK_DAMAGED']).toContain(code);
    expect(fs.existsSync(target)).toBe(false);
    expect(tree(path.dirname(store.root))).toEqual(before);
    // Neither overwriting nor deleting follows the forged path.
    await store.put('bucket', 'key', Buffer.from('again'));
    await store.delete('bucket', 'key');
    expect(fs.readdirSync(secret)).toEqual(['000000.chunk', '000001.chunk', SECRET]);
  },
);

test('a meta of a later format is refused by name, not taken for damage', async () => {
  const { store, copies } = await overwritten();
  for (const { file } of copies) forge(file, (meta) => (meta['format'] = 2));
  expect((await failure(store.head('bucket', 'key'))).code).toBe('UNKNOWN_FORMAT');
});

test('members that a later program adds do no harm', async () => {
  const { store, copies } = await overwritten();
  for (const { file } of copies) forge(file, (meta) => (meta['tags'] = { colour: 'blue' }));
  expect(NEW.equals(await read(store, 'key'))).toBe(true);
});

test.each([0, 1, 2])(
  'bucket document %i damaged or missing is not noticed, and mended by the next upload',
  async (index) => {
    for (const harm of [
      (file: string) => {
        fs.writeFileSync(file, 'damaged');
      },
      fs.rmSync,
    ]) {
      const store = await newStore();
      await store.put('bucket', 'key', NEW);
      const files = diskNames(store).map((disk) => path.join(store.root, disk, 'buckets/bucket/.bucket.json'));
      const before = tree(store.root);
      harm(files[index] ?? '');
      expect(NEW.equals(await read(store, 'key'))).toBe(true);
      expect(await keysOf(store)).toEqual(['key']);
      expect((await store.listBuckets()).length).toBe(1);
      expect((await failure(store.createBucket('bucket'))).code).toBe('BUCKET_EXISTS');
      await store.put('bucket', 'key2', NEW);
      await store.delete('bucket', 'key2');
      expect(tree(store.root)).toEqual(before);
    }
  },
);

test('an object whose metas are all damaged can be deleted, and gc then finds its chunks', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('x'));
  for (const { file } of metaCopies(store, 'key')) fs.writeFileSync(file, '{');
  expect(await failure(store.head('bucket', 'key'))).toMatchObject({ code: 'META_DAMAGED' });
  await store.delete('bucket', 'key');
  expect(await failure(store.head('bucket', 'key'))).toMatchObject({ code: 'NO_SUCH_KEY' });
  expect(await store.gc()).toMatchObject({ leftoverChunks: 1, kept: [], failed: [] });
});
