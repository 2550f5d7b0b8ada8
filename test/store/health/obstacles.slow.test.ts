import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ObjectStore, type ObjectMeta } from '../../../src/index.ts';
import { asNobody } from '../../disks/as-nobody.ts';
import { seededBytes } from '../../support/bytes.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { expectAll, expectWhole } from '../../support/shards.ts';
import { NO_FOLDERS, SPECIALS } from '../../support/special-files.ts';
import { failure, MIB, newStore, read, takeAway } from '../../support/store.ts';

interface Filled {
  store: ObjectStore;
  objects: Map<string, Buffer>;
  meta: ObjectMeta;
}

/** A store of four disks in which `disk1` has a chunk of `deep/key`. */
async function filled(): Promise<Filled> {
  const store = await newStore(4, { redundancy: '2+1' });
  const objects = new Map([
    ['deep/key', seededBytes(4 * MIB + 5, 'deep')],
    ['key', seededBytes(100, 'key')],
    ['deep/other', seededBytes(MIB, 'other')],
  ]);
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes);
  return { store, objects, meta: await store.head('bucket', 'deep/key') };
}

function chunkOnDisk1({ meta }: Filled): string {
  const shard = [...meta.chunks, ...meta.parity].find(({ disk }) => disk === 'disk1') ?? expect.fail();
  return shard.file;
}

function fanOutOnDisk1(given: Filled): string {
  return path.dirname(chunkOnDisk1(given));
}

/** Puts something in the place of a file or folder of `disk1`. */
async function replace(given: Filled, place: string, make: (place: string) => Promise<void> | void): Promise<string> {
  const full = path.join(given.store.root, 'disk1', place);
  fs.rmSync(full, { recursive: true });
  await make(full);
  // A process does not look at every folder again at every step.
  given.store = await ObjectStore.open(given.store.root);
  return full;
}

/** That heal mends everything, and has told what it has set aside; that is still there. */
async function expectHealed({ store, objects }: Filled, setAside: string[]): Promise<void> {
  expect(await store.heal()).toMatchObject({
    objects: objects.size,
    whole: objects.size,
    problems: 0,
    setAside,
    failed: [],
  });
  for (const place of setAside)
    expect(fs.lstatSync(path.join(store.root, place), { throwIfNoEntry: false }), place).toBeDefined();
  await expectWhole(store);
  await expectAll(store, objects);
  expect(await store.heal()).toMatchObject({ rebuilt: 0, settled: 0, setAside: [], failed: [] });
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  // What was rebuilt counts: any other disk may go now.
  const back = takeAway(store, 'disk2');
  await expectAll(store, objects);
  back();
}

describe.each(SPECIALS)('$what', ({ make, problem }) => {
  test('in the place of a meta, or of the document of a bucket, is one bad copy: the others answer, and heal sets it aside', async ({
    skip,
  }) => {
    skip(problem !== undefined, problem);
    const given = await filled();
    await replace(given, 'buckets/bucket/deep/key.meta.json', make);
    await replace(given, 'buckets/bucket/.bucket.json', make);
    await expectAll(given.store, given.objects);
    expect(await given.store.verify()).toMatchObject({ degraded: 1, buckets: 1, lost: 0, problems: 2 });
    await expectHealed(given, [
      'disk1/buckets/bucket/..bucket.json.corrupt',
      'disk1/buckets/bucket/deep/.key.meta.json.corrupt',
    ]);
  });

  test('in the place of a chunk is damage, also for a quick look: reads do without it, and heal makes the chunk there', async ({
    skip,
  }) => {
    skip(problem !== undefined, problem);
    const given = await filled();
    await replace(given, chunkOnDisk1(given), make);
    await expectAll(given.store, given.objects);
    for (const quick of [true, false])
      expect(await given.store.verify({ quick })).toMatchObject({ degraded: 1, lost: 0 });
    await expectHealed(given, []);
  });
});

describe.each(NO_FOLDERS)('$what in the place of a folder', ({ make }) => {
  test.each([
    ['of all buckets', () => 'buckets', 'disk1/.buckets.corrupt'],
    ['of a bucket', () => 'buckets/bucket', 'disk1/buckets/.bucket.corrupt'],
    ['of keys', () => 'buckets/bucket/deep', 'disk1/buckets/bucket/.deep.corrupt'],
    ['of all chunks', () => 'chunks', 'disk1/.chunks.corrupt'],
    ['of some chunks', fanOutOnDisk1, undefined],
    ['for staged files', () => 'tmp', 'disk1/.tmp.corrupt'],
  ] as const)(
    '%s is set aside by heal, and everything is whole again; nothing that it leads to is touched',
    async (_, placeOf, aside) => {
      const given = await filled();
      const place = placeOf(given);
      const full = await replace(given, place, make);
      const elsewhere = `${full}-elsewhere`;
      if (fs.existsSync(elsewhere))
        fs.writeFileSync(path.join(elsewhere, '01990000-0000-7000-8000-000000000001'), 'theirs');
      await expectAll(given.store, given.objects);
      // Others write meanwhile; this disk counts as failed.
      await given.store.put('bucket', 'deep/new', Buffer.from('new'));
      given.objects.set('deep/new', Buffer.from('new'));
      if (fs.existsSync(elsewhere)) expect(fs.readdirSync(elsewhere)).toHaveLength(1);
      const kept = fs.existsSync(elsewhere)
        ? fs.readFileSync(path.join(elsewhere, '01990000-0000-7000-8000-000000000001'), 'utf8')
        : '';
      await expectHealed(given, [aside ?? `disk1/chunks/.${path.basename(place)}.corrupt`]);
      if (fs.existsSync(elsewhere)) expect([fs.readdirSync(elsewhere).length, kept]).toEqual([1, 'theirs']);
    },
  );
});

test('what stands in the place of a fan-out folder in which no object has a chunk is set aside too: it keeps uploads off the disk', async () => {
  const given = await filled();
  const chunks = path.join(given.store.root, 'disk1/chunks');
  const unused = ['00', '01', '02', '03'].find((name) => !fs.existsSync(path.join(chunks, name))) ?? expect.fail();
  fs.writeFileSync(path.join(chunks, unused), 'a file');
  expect(await given.store.verify()).toMatchObject({ problems: 0 });
  await expectHealed(given, [`disk1/chunks/.${unused}.corrupt`]);
});

test('staged files that a link leads to are not removed by gc, and what is staged does not go there', async () => {
  const given = await filled();
  const elsewhere = path.join(path.dirname(given.store.root), 'elsewhere');
  fs.mkdirSync(elsewhere);
  fs.writeFileSync(path.join(elsewhere, 'file'), 'theirs');
  await replace(given, 'tmp', (place) => {
    fs.symlinkSync(elsewhere, place);
  });
  const report = await given.store.gc();
  expect(report.stagedFiles).toBe(0);
  expect([...report.kept, ...report.failed].join()).toContain('a link stands in the place of a folder');
  const { failed } = await given.store.put('bucket', 'key', Buffer.from('x'));
  expect(failed.map(({ disk }) => disk)).toEqual(['disk1']);
  expect(fs.readdirSync(elsewhere)).toEqual(['file']);
});

test('what stands in the place of a folder of metas stays while too few other disks answer: what was behind it might be the newest', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  await store.put('bucket', 'key', Buffer.from('old'));
  const back = takeAway(store, 'disk2');
  await store.put('bucket', 'key', Buffer.from('new'));
  back();
  // The new version is on disk1 and disk3; disk1 loses its folder to a file, and disk3 goes away.
  const folder = path.join(store.root, 'disk1/buckets');
  fs.renameSync(folder, `${folder}.moved`);
  fs.writeFileSync(folder, 'x');
  const again = takeAway(store, 'disk3');
  const report = await store.heal();
  expect(report.setAside).toEqual([]);
  expect(report.failed.join()).toContain('stays, because too few other disks answer');
  expect(fs.readFileSync(folder, 'utf8')).toBe('x');
  expect((await failure(read(store, 'key'))).code).toBe('TOO_FEW_DISKS_TO_READ');
  again();
  expect(await store.heal()).toMatchObject({ whole: 1, setAside: ['disk1/.buckets.corrupt'], failed: [] });
  expect(String(await read(store, 'key'))).toBe('new');
  await expectWhole(store);
});

test('what stands in the place of one meta stays as well while too few other disks answer, even where its mode is 000', async () => {
  await asNobody(async () => {
    const store = await newStore(3, { redundancy: '1+1' });
    await store.put('bucket', 'key', Buffer.from('old'));
    const back = takeAway(store, 'disk2');
    await store.put('bucket', 'key', Buffer.from('new'));
    back();
    const file = path.join(store.root, 'disk1/buckets/bucket/key.meta.json');
    fs.rmSync(file);
    fs.mkdirSync(file, { mode: 0 });
    const again = takeAway(store, 'disk3');
    expect((await store.heal()).setAside).toEqual([]);
    expect(fs.lstatSync(file).isDirectory()).toBe(true);
    expect((await failure(read(store, 'key'))).code).toBe('TOO_FEW_DISKS_TO_READ');
    again();
    expect(await store.heal()).toMatchObject({
      whole: 1,
      setAside: ['disk1/buckets/bucket/.key.meta.json.corrupt'],
      failed: [],
    });
    expect(String(await read(store, 'key'))).toBe('new');
    fs.chmodSync(path.join(store.root, 'disk1/buckets/bucket/.key.meta.json.corrupt'), 0o700);
  });
});

test('a heal of a part of the store leaves what concerns other parts, and says so', async () => {
  const given = await filled();
  await replace(given, 'buckets/bucket/deep', (place) => {
    fs.writeFileSync(place, 'x');
  });
  const report = await given.store.heal({ bucket: 'bucket', prefix: 'deep/k' });
  expect(report.setAside).toEqual([]);
  expect(report.failed.join()).toContain('only a heal of the whole store');
  await expectHealed(given, ['disk1/buckets/bucket/.deep.corrupt']);
});

test('a dry run of heal changes nothing of what is in the way', async () => {
  const given = await filled();
  const place = await replace(given, 'buckets/bucket/deep', (file) => {
    fs.writeFileSync(file, 'x');
  });
  expect(await given.store.heal({ dryRun: true })).toMatchObject({ setAside: [] });
  expect(fs.readFileSync(place, 'utf8')).toBe('x');
});

test('what was set aside before stays when the same happens again', async () => {
  const given = await filled();
  for (const text of ['first', 'second']) {
    await replace(given, 'buckets/bucket/deep', (place) => {
      fs.writeFileSync(place, text);
    });
    await given.store.heal();
  }
  const folder = path.join(given.store.root, 'disk1/buckets/bucket');
  expect(['.deep.corrupt', '.deep.2.corrupt'].map((name) => fs.readFileSync(path.join(folder, name), 'utf8'))).toEqual([
    'first',
    'second',
  ]);
  await expectWhole(given.store);
});

describe('what its owner may not even read', () => {
  test.each([
    ['the folder of all buckets', () => 'buckets'],
    ['the folder of a bucket', () => 'buckets/bucket'],
    ['a folder of keys', () => 'buckets/bucket/deep'],
    ['a meta', () => 'buckets/bucket/deep/key.meta.json'],
    ['the document of a bucket', () => 'buckets/bucket/.bucket.json'],
    ['the folder of all chunks', () => 'chunks'],
    ['a folder of chunks', fanOutOnDisk1],
    ['a chunk', (given: Filled) => chunkOnDisk1(given)],
    ['the folder for staged files', () => 'tmp'],
  ] as const)('%s is mended by heal, and nothing of it is lost', async (_, placeOf) => {
    await asNobody(async () => {
      const given = await filled();
      const place = path.join(given.store.root, 'disk1', placeOf(given));
      fs.chmodSync(place, 0);
      onTestFinished(() => {
        fs.chmodSync(place, 0o700);
      });
      await expectAll(given.store, given.objects);
      await expectHealed(given, []);
      expect(fs.statSync(place).mode & 0o400).toBe(0o400);
    });
  });

  test('is opened where there is no other copy of it', async () => {
    await asNobody(async () => {
      const store = await newStore(3);
      await store.put('bucket', 'key', seededBytes(3 * MIB, 'all'));
      const [first, second] = (await store.head('bucket', 'key')).chunks;
      const file = path.join(store.root, first?.disk ?? '', first?.file ?? '');
      const folder = path.dirname(path.join(store.root, second?.disk ?? '', second?.file ?? ''));
      fs.chmodSync(file, 0);
      fs.chmodSync(folder, 0);
      expect((await failure(read(store, 'key'))).code).toBe('CHUNK_UNAVAILABLE');
      expect(await store.heal()).toMatchObject({ whole: 1, lost: 0, rebuilt: 0, setAside: [] });
      expect((await read(store, 'key')).equals(seededBytes(3 * MIB, 'all'))).toBe(true);
    });
  });
});
