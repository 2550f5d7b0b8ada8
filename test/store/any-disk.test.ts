import { describe, expect, test } from 'vitest';
import { ObjectStore, type ObjectMeta, type ShardEntry } from '../../src/index.ts';
import { metaKind } from '../../src/metadata/catalog.ts';
import { shardsOf, stripesOf } from '../../src/metadata/stripes.ts';
import { seededBytes } from '../support/bytes.ts';
import { diskOf, DISK_KINDS, filesOn, flip, overwrite, storeOn } from '../support/disk-kinds.ts';
import { collect, diskNames, failure, keysOf, MIB, read } from '../support/store.ts';

const META = metaKind('bucket', 'key').path;

/** How everything is, in short. */
async function healthOf(store: ObjectStore) {
  const { whole, degraded, lost, problems } = await store.verify();
  return { whole, degraded, lost, problems };
}

/** All files of objects, `disk/path`. */
async function filesOf(store: ObjectStore): Promise<string[]> {
  const all = await Promise.all(
    diskNames(store).map(async (name) => (await filesOn(diskOf(store, name))).map((path) => `${name}/${path}`)),
  );
  return all.flat().filter((path) => !path.endsWith('.bucket.json'));
}

function shardsOfFirstStripe(meta: ObjectMeta): ShardEntry[] {
  return stripesOf(meta).slice(0, 1).flatMap(shardsOf);
}

/** What can happen to a shard or a meta copy. */
const DAMAGES: [string, (store: ObjectStore, disk: string, path: string) => Promise<void>][] = [
  ['a flipped bit', (store, disk, path) => flip(diskOf(store, disk), path)],
  [
    'no file',
    (store, disk, path) => diskOf(store, disk).remove(path, { within: path.split('/')[0] ?? '', durable: false }),
  ],
  ['an empty file', (store, disk, path) => overwrite(diskOf(store, disk), path, Buffer.alloc(0))],
  ['a file of something else', (store, disk, path) => overwrite(diskOf(store, disk), path, seededBytes(5000, 'else'))],
];

describe.each(DISK_KINDS)('a store of $kind', (kind) => {
  test.each(['1+0', '1+1', '2+1'])('gives objects of any size back, with %s', async (redundancy) => {
    const store = await storeOn(kind, 3, { redundancy });
    for (const size of [0, 1, MIB, 3 * MIB + 1]) {
      const bytes = seededBytes(size, size);
      const { offline, failed } = await store.put('bucket', `key${size}`, bytes);
      expect({ offline, failed }).toEqual({ offline: [], failed: [] });
      expect((await read(store, `key${size}`)).equals(bytes)).toBe(true);
    }
    expect(await healthOf(store)).toEqual({ whole: 4, degraded: 0, lost: 0, problems: 0 });
    const again = await ObjectStore.open(store.root);
    expect((await read(again, 'key1')).equals(seededBytes(1, 1))).toBe(true);
  });

  test('gives any range of an object', async () => {
    const store = await storeOn(kind, 3, { redundancy: '2+1' });
    const bytes = seededBytes(4 * MIB + 5, 'ranges');
    await store.put('bucket', 'key', bytes);
    for (const [from, to] of [
      [0, 0],
      [MIB - 1, MIB],
      [MIB, 3 * MIB - 1],
      [4 * MIB, undefined],
    ] as const) {
      const { body } = await store.get('bucket', 'key', { range: { from, to } });
      expect((await collect(body)).equals(bytes.subarray(from, to === undefined ? undefined : to + 1))).toBe(true);
    }
  });

  test('lists keys in their order, below a prefix, and with folders', async () => {
    const store = await storeOn(kind);
    const keys = ['a', 'a/b', 'a/b/c', 'b', 'ä', '.hidden', 'x%y'];
    for (const key of keys) await store.put('bucket', key, Buffer.from(key));
    expect(await keysOf(store)).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    expect(await keysOf(store, 'a/')).toEqual(['a/b', 'a/b/c']);
    const listed: string[] = [];
    for await (const entry of store.list('bucket', { folders: true }))
      listed.push(entry.kind === 'folder' ? entry.prefix : entry.key);
    expect(listed).toEqual(['.hidden', 'a', 'a/', 'b', 'x%y', 'ä']);
    expect((await store.listBuckets()).map(({ bucket }) => bucket)).toEqual(['bucket']);
  });

  test('has no more files after an overwrite than the newest version needs, and none after a delete', async () => {
    const store = await storeOn(kind, 3, { redundancy: '2+1' });
    await store.put('bucket', 'key', seededBytes(5 * MIB, 'old'));
    await store.put('bucket', 'key', seededBytes(2 * MIB, 'new'));
    expect(await filesOf(store)).toHaveLength(3 + 3);
    await store.delete('bucket', 'key');
    expect(await filesOf(store)).toEqual([]);
    expect(await failure(read(store, 'key'))).toMatchObject({ code: 'NO_SUCH_KEY' });
    await store.deleteBucket('bucket');
    expect(await failure(store.put('bucket', 'key', Buffer.from('x')))).toMatchObject({ code: 'NO_SUCH_BUCKET' });
  });

  test.each(DAMAGES)('reads past a chunk that has become %s, says so, and heals it', async (_, damage) => {
    const store = await storeOn(kind, 3, { redundancy: '2+1' });
    const bytes = seededBytes(2 * MIB, 'damage');
    const { meta } = await store.put('bucket', 'key', bytes);
    for (const { disk, file } of shardsOfFirstStripe(meta)) {
      await damage(store, disk, file);
      expect((await read(store, 'key')).equals(bytes)).toBe(true);
      expect(await healthOf(store)).toEqual({ whole: 0, degraded: 1, lost: 0, problems: 1 });
      expect(await store.heal()).toMatchObject({ rebuilt: 1, whole: 1, failed: [] });
    }
    expect(await healthOf(store)).toEqual({ whole: 1, degraded: 0, lost: 0, problems: 0 });
  });

  test('tells of damage that nothing can make up for, and names disk and chunk', async () => {
    const store = await storeOn(kind);
    const { meta } = await store.put('bucket', 'key', seededBytes(2 * MIB, 'lost'));
    const [chunk] = meta.chunks;
    if (chunk === undefined) throw new Error('no chunk');
    await flip(diskOf(store, chunk.disk), chunk.file);
    expect(await failure(read(store, 'key'))).toMatchObject({ code: 'CHUNK_DAMAGED', disk: chunk.disk, chunk: 0 });
    expect(await healthOf(store)).toMatchObject({ lost: 1 });
  });

  test.each(DAMAGES)('finds the newest meta although one copy has become %s, and heals it', async (_, damage) => {
    const store = await storeOn(kind);
    await store.put('bucket', 'key', Buffer.from('old'));
    await store.put('bucket', 'key', Buffer.from('new'));
    for (const disk of diskNames(store)) {
      await damage(store, disk, META);
      expect(String(await read(store, 'key'))).toBe('new');
      expect(await healthOf(store)).toMatchObject({ degraded: 1, problems: 1 });
      expect(await store.heal()).toMatchObject({ whole: 1, failed: [] });
    }
    expect(await healthOf(store)).toEqual({ whole: 1, degraded: 0, lost: 0, problems: 0 });
  });

  test('goes on without any one disk, and makes up for it when that comes back', async () => {
    const store = await storeOn(kind, 4, { redundancy: '2+1' });
    await store.put('bucket', 'kept', seededBytes(2 * MIB, 'kept'));
    for (const name of diskNames(store)) {
      await store.put('bucket', 'gone', Buffer.from('gone'));
      const bringBack = kind.takeAway(store, name);
      expect((await store.disks()).filter(({ state }) => state.status !== 'online')).toMatchObject([
        { disk: name, state: { status: 'missing' } },
      ]);
      expect((await read(store, 'kept')).equals(seededBytes(2 * MIB, 'kept'))).toBe(true);
      const { offline } = await store.put('bucket', 'key', seededBytes(2 * MIB, name));
      expect(offline).toMatchObject([{ disk: name }]);
      await store.delete('bucket', 'gone');
      bringBack();
      expect((await read(store, 'key')).equals(seededBytes(2 * MIB, name))).toBe(true);
      expect(await keysOf(store)).toEqual(['kept', 'key']);
      expect(await store.heal()).toMatchObject({ whole: 2, degraded: 0, failed: [] });
    }
    expect(await healthOf(store)).toEqual({ whole: 2, degraded: 0, lost: 0, problems: 0 });
  });

  test('neither reads nor writes with too few disks', async () => {
    const store = await storeOn(kind);
    await store.put('bucket', 'key', Buffer.from('x'));
    const back = [kind.takeAway(store, 'disk1'), kind.takeAway(store, 'disk3')];
    expect(await failure(read(store, 'key'))).toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ' });
    expect(await failure(store.put('bucket', 'key', Buffer.from('y')))).toMatchObject({
      code: 'TOO_FEW_DISKS_TO_WRITE',
    });
    for (const bringBack of back) bringBack();
    expect(String(await read(store, 'key'))).toBe('x');
  });

  test('recognises a disk by its mark', async () => {
    const store = await storeOn(kind, 3);
    const other = await diskOf(store, 'disk2').read('disk.json');
    await overwrite(diskOf(store, 'disk1'), 'disk.json', other ?? Buffer.alloc(0));
    await diskOf(store, 'disk3').remove('disk.json', { within: '.', durable: false });
    expect((await store.disks()).map(({ state }) => state.status)).toEqual(['swapped', 'online', 'unmarked']);
  });

  test('reclaims what no meta refers to, and nothing else', async () => {
    const store = await storeOn(kind);
    await store.put('bucket', 'key', seededBytes(2 * MIB, 'kept'));
    const before = await filesOf(store);
    const { meta } = await store.put('bucket', 'died', seededBytes(2 * MIB, 'died'));
    // As an upload leaves it that died before its commit.
    for (const name of diskNames(store))
      await diskOf(store, name).remove(metaKind('bucket', 'died').path, { within: 'buckets', durable: false });
    expect(await store.gc()).toMatchObject({ leftoverChunks: meta.chunks.length, kept: [], failed: [] });
    expect(await filesOf(store)).toEqual(before);
    expect(await store.gc()).toMatchObject({ leftoverChunks: 0 });
  });

  test('takes another disk in, moves all off one that is to go, and lets it go', async () => {
    const store = await storeOn(kind, 3, { redundancy: '2+1' });
    const bytes = seededBytes(6 * MIB, 'moved');
    await store.put('bucket', 'key', bytes);
    const [place] = kind.places(1) ?? [{ path: `${store.root}/disk4` }];
    await store.addDisk('disk4', place?.path ?? '');
    expect(await store.drainDisk('disk1')).toMatchObject({ failed: [] });
    await store.removeDisk('disk1');
    expect(diskNames(store)).toEqual(['disk2', 'disk3', 'disk4']);
    expect((await read(store, 'key')).equals(bytes)).toBe(true);
    expect(await healthOf(store)).toEqual({ whole: 1, degraded: 0, lost: 0, problems: 0 });
  });

  test('makes a disk again whose place has been lost', async () => {
    const store = await storeOn(kind, 3, { redundancy: '2+1' });
    const bytes = seededBytes(4 * MIB, 'lost');
    await store.put('bucket', 'key', bytes);
    kind.takeAway(store, 'disk2');
    const [place] = kind.places(1) ?? [undefined];
    expect(await store.replaceDisk('disk2', place?.path)).toBe(true);
    expect(await store.heal()).toMatchObject({ whole: 1, joined: ['disk2'], failed: [] });
    kind.takeAway(store, 'disk1');
    expect((await read(store, 'key')).equals(bytes)).toBe(true);
  });
});
