import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { FaultyDisk } from '../../support/faulty-disk.ts';
import { isStoreError, ObjectStore } from '../../../src/index.ts';
import { get } from '../../../src/store/objects/get.ts';
import { contextOf, gate } from '../../support/context.ts';
import {
  collect,
  diskNames,
  failure,
  filesIn,
  metaCopies,
  MIB,
  newStore,
  objectFiles,
  read,
  sha256,
  takeAway,
} from '../../support/store.ts';
import { seededBytes } from '../../support/bytes.ts';
import { tempFolder } from '../../support/temp.ts';

test('20 uploads of one key at once, with readers: every read is one whole version; all disks agree at the end, and after gc one version is left', async () => {
  const store = await newStore();
  const others = [store, await ObjectStore.open(store.root), await ObjectStore.open(store.root)];
  const versions = Array.from({ length: 20 }, (_, index) => seededBytes(MIB + 1000 * index, `version ${index}`));
  const hashes = new Set(versions.map(sha256));
  await store.put('bucket', 'key', versions[0] ?? Buffer.alloc(0));
  const state = { writing: true, reads: 0 };
  const reader = async (index: number): Promise<void> => {
    const file = path.join(tempFolder(), 'out');
    do {
      const at = others[index % 3] ?? store;
      if (index % 2 === 0) {
        const { meta, body } = await at.get('bucket', 'key');
        const bytes = await collect(body);
        expect([bytes.length, hashes.has(sha256(bytes))]).toEqual([meta.size, true]);
      } else {
        await at.getToFile('bucket', 'key', file);
        expect(hashes.has(sha256(fs.readFileSync(file)))).toBe(true);
      }
      state.reads++;
    } while (state.writing);
  };
  const readers = Promise.all([0, 1, 2, 3].map(reader));
  await Promise.all(versions.map((bytes, index) => (others[index % 3] ?? store).put('bucket', 'key', bytes))).finally(
    () => (state.writing = false),
  );
  await readers;
  expect(state.reads).toBeGreaterThanOrEqual(4);
  const copies = metaCopies(store, 'key');
  expect(copies.map(({ disk }) => disk)).toEqual(diskNames(store));
  expect(new Set(copies.map(({ text }) => text)).size).toBe(1);
  await store.gc();
  const meta = await store.head('bucket', 'key');
  expect(objectFiles(store).filter((file) => file.includes('/chunks/'))).toEqual(
    meta.chunks.map(({ disk, file }) => `${disk}/${file}`).sort(),
  );
  expect(hashes.has(sha256(await read(store, 'key')))).toBe(true);
});

test('uploads, deletes and reads of one key at once: a read is one whole version or NO_SUCH_KEY, and nothing is left over', async () => {
  const store = await newStore();
  const bytes = seededBytes(MIB + 7, 'same');
  const write = async (): Promise<void> => {
    for (let round = 0; round < 8; round++) await store.put('bucket', 'a/b/key', bytes);
  };
  const remove = async (): Promise<void> => {
    for (let round = 0; round < 8; round++) await store.delete('bucket', 'a/b/key').catch(unless('NO_SUCH_KEY'));
  };
  const look = async (): Promise<void> => {
    for (let round = 0; round < 16; round++) {
      const got = await read(store, 'a/b/key').catch(unless('NO_SUCH_KEY'));
      if (got !== undefined) expect(bytes.equals(got)).toBe(true);
    }
  };
  await Promise.all([write(), write(), remove(), remove(), look(), look()]);
  await store.delete('bucket', 'a/b/key').catch(unless('NO_SUCH_KEY'));
  await store.gc();
  expect(objectFiles(store)).toEqual([]);
  await store.deleteBucket('bucket');
  for (const disk of diskNames(store)) expect(fs.readdirSync(path.join(store.root, disk, 'buckets'))).toEqual([]);
});

function unless(code: 'NO_SUCH_KEY'): (error: unknown) => undefined {
  return (error) => {
    if (!isStoreError(error, code)) throw error;
    return undefined;
  };
}

test('keys in one folder come and go at once without hurting one another', async () => {
  const store = await newStore();
  await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const key = `a/b/c/${index}`;
      for (let round = 0; round < 6; round++) {
        await store.put('bucket', key, Buffer.from(`${key} ${round}`));
        expect((await read(store, key)).toString()).toBe(`${key} ${round}`);
        await store.delete('bucket', key);
      }
    }),
  );
  expect(objectFiles(store)).toEqual([]);
  await store.gc();
  for (const disk of diskNames(store))
    expect(fs.readdirSync(path.join(store.root, disk, 'buckets/bucket'))).toEqual(['.bucket.json']);
});

test('a second upload that commits while the first is still reading its source: the last to commit wins, with the newest version', async () => {
  const store = await newStore();
  let inner = '';
  async function* slow(): AsyncGenerator<Buffer> {
    yield seededBytes(MIB, 'first');
    inner = (await store.put('bucket', 'key', Buffer.from('second'))).meta.version;
    expect((await read(store, 'key')).toString()).toBe('second');
    yield Buffer.from('end');
  }
  const { meta } = await store.put('bucket', 'key', Readable.from(slow()));
  expect(meta.version > inner).toBe(true);
  expect((await read(store, 'key')).length).toBe(MIB + 3);
});

/** Reads the first piece of a body and leaves the rest. */
async function firstPiece(body: Readable): Promise<Buffer> {
  for (;;) {
    const piece = body.read() as Buffer | null;
    if (piece !== null) return piece;
    await new Promise((resolve, reject) => body.once('readable', resolve).once('error', reject));
  }
}

/** What others may do to the object that somebody is reading. */
const MEANWHILE: Record<string, (store: ObjectStore) => Promise<unknown>> = {
  overwritten: (store) => store.put('bucket', 'key', Buffer.from('new')),
  deleted: (store) => store.delete('bucket', 'key'),
  'deleted together with its bucket': async (store) => {
    await store.delete('bucket', 'key');
    await store.deleteBucket('bucket');
  },
  'overwritten, deleted and uploaded again': async (store) => {
    await store.put('bucket', 'key', Buffer.from('new'));
    await store.delete('bucket', 'key');
    await store.put('bucket', 'key', Buffer.from('newer'));
  },
};

test.each(Object.keys(MEANWHILE))(
  'a slow reader finishes on the version it began with while the object is %s and gc runs; gc reclaims that version afterwards',
  async (kind) => {
    const store = await ObjectStore.open((await newStore()).root, { concurrency: 2 });
    const bytes = seededBytes(12 * MIB, 'slow');
    await store.put('bucket', 'key', bytes);
    const other = await ObjectStore.open(store.root);
    const { body } = await store.get('bucket', 'key');
    const pieces = [await firstPiece(body)];
    await MEANWHILE[kind]?.(other);
    expect(await other.gc()).toMatchObject({ leftoverChunks: 0, inUse: 1 });
    expect(await store.gc()).toMatchObject({ leftoverChunks: 0, inUse: 1 });
    pieces.push(await collect(body));
    expect(bytes.equals(Buffer.concat(pieces))).toBe(true);
    // The hold ends with the body's close, which is under way.
    let report = await other.gc();
    while (report.inUse > 0) report = await other.gc();
    expect(report.leftoverChunks).toBe(12);
    const left = await store.head('bucket', 'key').then(
      (meta) => meta.chunks.length,
      () => 0,
    );
    expect(objectFiles(store).filter((file) => file.includes('/chunks/')).length).toBe(left);
  },
);

test('a reader that has found a version, and holds it only after it was replaced and removed, reads the new one', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('old'));
  const going = gate();
  const slow: FaultyDisk[] = [];
  // The copy on disk3 takes the reader until the gate opens; by then the others' copies, which it has read, are outdated.
  const context = await contextOf(store, (disk) => {
    if (disk.name !== 'disk3') return disk;
    const faulty = new FaultyDisk(disk, [
      { operation: 'read', path: /key\.meta\.json$/, effect: { kind: 'hang', until: going.opened } },
    ]);
    slow.push(faulty);
    return faulty;
  });
  const reading = get(context, 'bucket', 'key', {});
  await expect
    .poll(() => {
      slow[0]?.expectAllFired();
    })
    .toBeUndefined();
  await store.put('bucket', 'time passes', seededBytes(4 * MIB, 'time'));
  const back = takeAway(store, 'disk3');
  await store.put('bucket', 'key', Buffer.from('new'));
  back();
  going.open();
  expect((await collect((await reading).body)).toString()).toBe('new');
});

test('a body that has been opened, and not read at all, still gives its version after an overwrite and gc', async () => {
  const store = await newStore();
  const bytes = seededBytes(2 * MIB, 'unread');
  await store.put('bucket', 'key', bytes);
  const { body } = await store.get('bucket', 'key');
  await store.put('bucket', 'key', Buffer.from('new'));
  await store.gc();
  expect(bytes.equals(await collect(body))).toBe(true);
});

test('a body that is destroyed lets go of its version', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(8 * MIB, 'destroyed'));
  for (const readFirst of [false, true]) {
    const { body } = await store.get('bucket', 'key');
    if (readFirst) await firstPiece(body);
    body.destroy();
  }
  await store.delete('bucket', 'key');
  let report = await store.gc();
  while (report.inUse > 0) report = await store.gc();
  expect(objectFiles(store)).toEqual([]);
});

test('a get that fails lets go of its version', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(2 * MIB, 'failing'));
  expect((await failure(store.get('bucket', 'key', { range: { from: 2 * MIB } }))).code).toBe('BAD_RANGE');
  fs.rmSync(path.join(store.root, meta.chunks[0]?.disk ?? '', meta.chunks[0]?.file ?? ''));
  await failure(read(store, 'key'));
  await failure(store.getToFile('bucket', 'key', path.join(tempFolder(), 'out')));
  await store.delete('bucket', 'key');
  let report = await store.gc();
  while (report.inUse > 0) report = await store.gc();
  expect(diskNames(store).flatMap((disk) => filesIn(path.join(store.root, disk, 'chunks')))).toEqual([]);
});

test('of two who open a store that does not exist yet, both get the same one', async () => {
  for (let round = 0; round < 5; round++) {
    const root = path.join(tempFolder(), 'a', 'store');
    const stores = await Promise.all(Array.from({ length: 4 }, () => ObjectStore.open(root, { create: true })));
    expect(new Set(stores.map((store) => store.document.id)).size).toBe(1);
    await Promise.all(stores.map((store) => store.ensureBucket('bucket')));
    await Promise.all(stores.map((store, index) => store.put('bucket', String(index), Buffer.from(String(index)))));
    for (const store of stores) expect((await read(store, '3')).toString()).toBe('3');
    expect((await stores[0]?.disks())?.map(({ state }) => state.status)).toEqual(['online', 'online', 'online']);
  }
});
