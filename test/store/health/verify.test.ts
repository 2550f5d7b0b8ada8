import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import {
  stripesOf,
  type HealthReport,
  type ObjectHealth,
  type ObjectStore,
  type VerifyOptions,
} from '../../../src/index.ts';
import { seededBytes } from '../../support/bytes.ts';
import { harmShard, SHARD_HARM, SHARD_HARMS, shardsIn } from '../../support/shards.ts';
import { diskNames, failure, forge, metaCopies, MIB, newStore, takeAway, tree } from '../../support/store.ts';

/** What verify says, and that it changes nothing. */
async function verify(
  store: ObjectStore,
  options: VerifyOptions = {},
): Promise<{ report: HealthReport; healths: ObjectHealth[] }> {
  const before = tree(store.root, { stamps: true }).filter((line) => !line.startsWith('.lock'));
  const healths: ObjectHealth[] = [];
  let bytes = 0;
  const report = await store.verify({
    ...options,
    onObject: (health) => {
      healths.push(health);
    },
    onBytes: (count) => {
      bytes += count;
    },
  });
  expect(tree(store.root, { stamps: true }).filter((line) => !line.startsWith('.lock'))).toEqual(before);
  expect(report.bytes).toBe(bytes);
  expect(report.objects).toBe(healths.length);
  expect([report.whole, report.degraded, report.lost]).toEqual(
    ['whole', 'degraded', 'lost'].map((state) => healths.filter((health) => health.state === state).length),
  );
  expect(report.problems).toBe(healths.flatMap(({ problems }) => problems).length);
  return { report, healths };
}

async function one(store: ObjectStore, options: VerifyOptions = {}): Promise<ObjectHealth> {
  const { healths } = await verify(store, options);
  const [health] = healths;
  if (health === undefined || healths.length > 1) throw new Error(`${healths.length} objects`);
  return health;
}

function flip(file: string): void {
  const bytes = fs.readFileSync(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  fs.writeFileSync(file, bytes);
}

test('a store in which all is well is whole, and verify has read every byte of chunks and parity', async () => {
  const store = await newStore(6, { redundancy: '2+1' });
  let bytes = 0;
  for (const [key, redundancy] of [
    ['a', '2+1'],
    ['b/c', '4+2'],
    ['d', '1+0'],
    ['e', '1+1'],
  ] as const) {
    const { meta } = await store.put('bucket', key, seededBytes(2 * MIB + 1, key), { redundancy });
    bytes += shardsIn(meta).reduce((sum, { size }) => sum + size, 0);
  }
  await store.put('bucket', 'empty', Buffer.alloc(0));
  const { report, healths } = await verify(store);
  expect(report).toEqual({
    objects: 5,
    whole: 5,
    degraded: 0,
    lost: 0,
    buckets: 0,
    bytes,
    problems: 0,
    unreadable: [],
  });
  // Six disks: three metas' copies can be spared at most, then what the parity is good for.
  expect(healths.map(({ key, survives, redundancy }) => [key, redundancy, survives])).toEqual([
    ['a', '2+1', 1],
    ['b/c', '4+2', 2],
    ['d', '1+0', 0],
    ['e', '1+1', 1],
    ['empty', '2+1', 3],
  ]);
});

test.each(SHARD_HARMS)(
  'a chunk and a parity chunk %s are each named with disk, place and state; --quick sees what a look can see',
  async (harm) => {
    const store = await newStore(4, { redundancy: '2+2' });
    const { meta } = await store.put('bucket', 'key', seededBytes(3 * MIB + 5, 'harm'));
    const parity = meta.parity.find(({ protects, row }) => protects.includes(3) && row === 1);
    const chunk = meta.chunks[0];
    if (parity === undefined || chunk === undefined) throw new Error('no such shard');
    harmShard(store, chunk, harm);
    harmShard(store, parity, harm);
    const health = await one(store);
    expect(health).toMatchObject({
      bucket: 'bucket',
      key: 'key',
      state: 'degraded',
      version: meta.version,
      redundancy: '2+2',
      size: meta.size,
      survives: 1,
      lost: [],
    });
    const state = SHARD_HARM[harm];
    expect(health.problems.map(({ reason, ...problem }) => problem)).toEqual([
      { part: 'chunk', disk: chunk.disk, path: chunk.file, state },
      { part: 'parity', disk: parity.disk, path: parity.file, state },
    ]);
    expect(health.problems[0]?.reason).toContain(`chunk 0 of bucket/key on disk "${chunk.disk}"`);
    expect(health.problems[1]?.reason).toContain(`parity 1 of chunks 2-3 of bucket/key on disk "${parity.disk}"`);
    const quick = await one(store, { quick: true });
    if (harm === 'with a bit flipped' || harm === 'with all its bytes zero')
      expect(quick).toMatchObject({ state: 'whole', problems: [] });
    else expect(quick).toEqual(health);
  },
);

test('a folder in the place of a chunk is a problem like any other', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  const { meta } = await store.put('bucket', 'key', Buffer.from('x'));
  const chunk = path.join(store.root, meta.chunks[0]?.disk ?? '', meta.chunks[0]?.file ?? '');
  fs.rmSync(chunk);
  fs.mkdirSync(chunk);
  expect(await one(store)).toMatchObject({ state: 'degraded', survives: 0 });
  expect((await one(store)).problems.map(({ part, disk }) => [part, disk])).toEqual([['chunk', meta.chunks[0]?.disk]]);
});

test('how many more losses an object survives is that of its weakest stripe, and lost bytes are told in runs', async () => {
  const store = await newStore(6, { redundancy: '2+2' });
  const { meta } = await store.put('bucket', 'key', seededBytes(7 * MIB + 9, 'runs'));
  const stripes = stripesOf(meta);
  const harm = (stripe: number, ...places: number[]): void => {
    const { chunks, parity } = stripes[stripe] ?? { chunks: [], parity: [] };
    for (const place of places) {
      const shard = [...chunks, ...parity][place];
      if (shard !== undefined) harmShard(store, shard, place % 2 === 0 ? 'gone' : 'with a bit flipped');
    }
  };
  expect(await one(store)).toMatchObject({ state: 'whole', survives: 2 });
  harm(0, 3);
  expect(await one(store)).toMatchObject({ state: 'degraded', survives: 1 });
  harm(1, 0, 2);
  expect(await one(store)).toMatchObject({ state: 'degraded', survives: 0, lost: [] });
  harm(1, 1);
  expect(await one(store)).toMatchObject({ state: 'lost', survives: 0, lost: [{ from: 2 * MIB, to: 4 * MIB }] });
  harm(2, 0, 2, 3);
  expect(await one(store)).toMatchObject({ state: 'lost', lost: [{ from: 2 * MIB, to: 5 * MIB }] });
  harm(3, 1, 2, 3);
  expect(await one(store)).toMatchObject({
    state: 'lost',
    lost: [
      { from: 2 * MIB, to: 5 * MIB },
      { from: 7 * MIB, to: 7 * MIB + 9 },
    ],
  });
  expect((await one(store)).problems.length).toBe(10);
});

test('parity alone that is gone loses no byte', async () => {
  const store = await newStore(4, { redundancy: '2+2' });
  const { meta } = await store.put('bucket', 'key', seededBytes(2 * MIB, 'parity'));
  for (const shard of meta.parity) harmShard(store, shard, 'gone');
  expect(await one(store)).toMatchObject({ state: 'degraded', survives: 0, lost: [] });
});

test('metas that are missing, damaged, stale or of another key are named', async () => {
  const store = await newStore(7, { redundancy: '1+2' });
  const back = takeAway(store, 'disk2');
  await store.put('bucket', 'key', Buffer.from('x'));
  back();
  await store.put('bucket', 'other', Buffer.from('y'));
  const [, stale] = metaCopies(store, 'other');
  const copies = new Map(metaCopies(store, 'key').map(({ disk, file }) => [disk, file]));
  const fileOf = (disk: string): string => copies.get(disk) ?? '';
  fs.rmSync(fileOf('disk1'));
  flip(fileOf('disk4'));
  forge(fileOf('disk5'), (document) => (document['key'] = 'other'));
  const health = (await verify(store)).healths.find(({ key }) => key === 'key');
  expect(health?.state).toBe('degraded');
  expect(health?.problems.map(({ part, disk, state }) => [part, disk, state])).toEqual([
    ['meta', 'disk1', 'missing'],
    ['meta', 'disk2', 'missing'],
    ['meta', 'disk4', 'damaged'],
    ['meta', 'disk5', 'damaged'],
  ]);
  expect(stale).toBeDefined();
  expect(health?.problems.every(({ path: where }) => where === 'buckets/bucket/key.meta.json')).toBe(true);
});

test('a stale meta is named with the version that it is of', async () => {
  const store = await newStore(5, { redundancy: '1+1' });
  const { meta: old } = await store.put('bucket', 'key', Buffer.from('old'));
  const back = takeAway(store, 'disk2');
  await store.put('bucket', 'key', Buffer.from('new'));
  back();
  const { problems } = await one(store);
  expect(problems).toMatchObject([{ part: 'meta', disk: 'disk2', state: 'stale' }]);
  expect(problems[0]?.reason).toContain(old.version);
});

test('with so few metas left that the next loss may hide the object, it survives no loss', async () => {
  const store = await newStore(5, { redundancy: '1+2' });
  await store.put('bucket', 'key', Buffer.from('x'));
  const copies = metaCopies(store, 'key');
  // Five disks, all of which answer; what they say of the object is another thing.
  for (const [index, { file }] of copies.entries()) {
    expect((await one(store)).survives).toBe(Math.min(2, copies.length - index - 1));
    if (index < copies.length - 1) fs.rmSync(file);
  }
});

test('an object of which no quorum of metas is left is lost, with what each disk says, and does not keep verify from the others', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  await store.put('bucket', 'a', Buffer.from('x'));
  await store.put('bucket', 'b', Buffer.from('x'));
  for (const { file } of metaCopies(store, 'a').slice(0, 2)) flip(file);
  const { report, healths } = await verify(store);
  expect(report).toMatchObject({ objects: 2, whole: 1, lost: 1 });
  expect(healths[0]).toMatchObject({ key: 'a', state: 'lost', version: undefined, size: undefined, survives: 0 });
  expect(healths[0]?.problems.map(({ part, disk, state }) => [part, disk, state])).toEqual([
    ['meta', 'disk1', 'damaged'],
    ['meta', 'disk2', 'damaged'],
  ]);
});

test('what is on a disk that is away is offline, the object degraded, and what is left of its protection is told', async () => {
  const store = await newStore(5, { redundancy: '2+1' });
  const { meta } = await store.put('bucket', 'key', seededBytes(8 * MIB, 'away'));
  takeAway(store, 'disk3');
  const { problems, ...health } = await one(store);
  expect(health).toMatchObject({ state: 'degraded', survives: 0 });
  const there = shardsIn(meta).filter(({ disk }) => disk === 'disk3').length;
  expect(problems.filter(({ part }) => part !== 'meta').length).toBe(there);
  for (const problem of problems) expect(problem).toMatchObject({ disk: 'disk3', state: 'offline' });
  expect(problems.filter(({ part }) => part === 'meta').length).toBe(1);
});

test('the whole store, a bucket, or the keys that begin with a prefix', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  await store.createBucket('second');
  for (const key of ['a', 'a/b', 'a/bc/d', 'ab', 'b']) {
    await store.put('bucket', key, Buffer.from(key));
    await store.put('second', key, Buffer.from(key));
  }
  const keys = async (options: VerifyOptions): Promise<string[]> =>
    (await verify(store, options)).healths.map(({ bucket, key }) => `${bucket}/${key}`);
  const all = ['a', 'a/b', 'a/bc/d', 'ab', 'b'];
  expect(await keys({})).toEqual([...all.map((key) => `bucket/${key}`), ...all.map((key) => `second/${key}`)]);
  expect(await keys({ bucket: 'second' })).toEqual(all.map((key) => `second/${key}`));
  expect(await keys({ bucket: 'second', prefix: 'a/' })).toEqual(['second/a/b', 'second/a/bc/d']);
  expect(await keys({ bucket: 'second', prefix: 'a/b' })).toEqual(['second/a/b', 'second/a/bc/d']);
  expect(await keys({ bucket: 'second', prefix: 'a' })).toEqual(
    ['a', 'a/b', 'a/bc/d', 'ab'].map((key) => `second/${key}`),
  );
  expect(await keys({ bucket: 'second', prefix: 'nothing' })).toEqual([]);
  for (const operation of [store.verify({ bucket: 'third' }), store.heal({ bucket: 'third' })]) {
    expect(await failure(operation)).toMatchObject({ code: 'NO_SUCH_BUCKET', bucket: 'third' });
  }
});

test('deleted objects are none, whatever tombstones there are', async () => {
  const store = await newStore(3);
  await store.put('bucket', 'key', Buffer.from('x'));
  const back = takeAway(store, 'disk1');
  await store.delete('bucket', 'key');
  back();
  expect((await verify(store)).report).toMatchObject({ objects: 0 });
});

test('with fewer disks than a read needs verify says so, and of no object that it is lost', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  await store.put('bucket', 'key', Buffer.from('x'));
  for (const disk of diskNames(store).slice(1)) takeAway(store, disk);
  expect(await failure(store.verify())).toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ', expected: 2, found: 1 });
});

test('verify that is aborted is ABORTED', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  for (let index = 0; index < 20; index++) await store.put('bucket', String(index), seededBytes(MIB, index));
  const controller = new AbortController();
  const verifying = store.verify({
    signal: controller.signal,
    onBytes: () => {
      controller.abort();
    },
  });
  expect((await failure(verifying)).code).toBe('ABORTED');
});

test('the documents of buckets are looked at too, and healed', async () => {
  const store = await newStore(4);
  await store.put('bucket', 'key', Buffer.from('x'));
  const document = (disk: string): string => path.join(store.root, disk, 'buckets/bucket/.bucket.json');
  fs.rmSync(document('disk2'));
  fs.writeFileSync(document('disk3'), '{');
  const healths: ObjectHealth[] = [];
  const options = { onObject: (health: ObjectHealth) => void healths.push(health) };
  expect(await store.verify(options)).toMatchObject({ objects: 1, whole: 1, buckets: 1, problems: 2 });
  expect(healths[0]).toMatchObject({
    bucket: 'bucket',
    key: '',
    state: 'degraded',
    problems: [
      { disk: 'disk2', state: 'missing' },
      { disk: 'disk3', state: 'damaged' },
    ],
  });
  expect(await store.heal()).toMatchObject({ objects: 1, whole: 1, buckets: 0, settled: 1, failed: [] });
  expect(await store.verify()).toMatchObject({ buckets: 0, problems: 0 });
  for (const disk of ['disk1', 'disk2', 'disk3']) fs.writeFileSync(document(disk), '{');
  expect(await store.heal()).toMatchObject({ whole: 1, buckets: 1, settled: 0 });
});

test('verify does not say that all is whole when disks go away while it looks', async () => {
  const store = await newStore(3, { redundancy: '2+1' });
  for (let index = 0; index < 30; index++) await store.put('bucket', `folder ${index}/key`, Buffer.from('x'));
  let isGone = false;
  const onObject = (): void => {
    if (isGone) return;
    isGone = true;
    for (const disk of ['disk1', 'disk2']) takeAway(store, disk);
  };
  expect(await failure(store.verify({ onObject }))).toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ' });
});
