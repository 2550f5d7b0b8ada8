import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ObjectStore, PutResult } from '../../../src/index.ts';
import { KernelLocks } from '../../../src/locks/kernel-locks.ts';
import { lockName } from '../../../src/locks/locks.ts';
import { Puts } from '../../../src/store/objects/puts.ts';
import { put } from '../../../src/store/objects/put.ts';
import { putSmall, type SmallOutcome, type SmallPut } from '../../../src/store/objects/small-puts.ts';
import { contextOf, patientContext } from '../../support/context.ts';
import { DISK_KINDS, storeOn } from '../../support/disk-kinds.ts';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import { failure, filesIn, keysOf, newStore, read, takeAway } from '../../support/store.ts';

function puts(count: number, options: SmallPut['options'] = {}): (SmallPut & { bytes: Buffer })[] {
  return Array.from({ length: count }, (_, index) => ({
    bucket: 'bucket',
    key: `folder${index % 3}/key${index}`,
    bytes: randomBytes(index % 4 === 0 ? 0 : 1 + (index % 50)),
    options,
  }));
}

/** The outcomes, each as one word. */
function words(outcomes: readonly SmallOutcome[]): string[] {
  return outcomes.map((outcome) => (outcome === 'alone' ? outcome : 'error' in outcome ? 'error' : 'stored'));
}

function filesOf(store: ObjectStore, folder: 'chunks' | 'tmp'): string[] {
  return store.document.disks.flatMap(({ name }) => filesIn(path.join(store.root, name, folder)));
}

/** A view of the store whose disk1 has faults; disk2 and disk3 too, where they are given. */
async function faultyContext(store: ObjectStore, ...faults: PlannedFault[][]) {
  const disks: FaultyDisk[] = [];
  const context = await contextOf(store, (disk) => {
    const faulty = new FaultyDisk(disk, faults[Number(disk.name.slice(-1)) - 1] ?? []);
    disks.push(faulty);
    return faulty;
  });
  const expectAllFired = (): void => {
    for (const disk of disks) disk.expectAllFired();
  };
  return { context, expectAllFired };
}

const ALWAYS = { times: Infinity, effect: { kind: 'fail', errno: 'EIO' } } as const;

describe.each(DISK_KINDS)('small objects that are put together, on $kind', (kind) => {
  test.each(['1+0', '1+1', '2+1'])('come back as they were, with %s', async (redundancy) => {
    const store = await storeOn(kind, 3, { redundancy });
    const all = puts(40);
    expect(new Set(words(await putSmall(await contextOf(store), all)))).toEqual(new Set(['stored']));
    for (const { key, bytes } of all) expect((await read(store, key)).equals(bytes), key).toBe(true);
    expect((await keysOf(store)).length).toBe(40);
    expect(await store.verify()).toMatchObject({ objects: 40, whole: 40 });
    expect(await store.gc()).toMatchObject({ leftoverChunks: 0, stagedFiles: 0, kept: [], failed: [] });
  });

  test('replace what was there, and leave nothing of it', async () => {
    const store = await storeOn(kind);
    const context = await contextOf(store);
    const all = puts(20);
    await putSmall(context, all);
    const again = all.map((one) => ({ ...one, bytes: randomBytes(30) }));
    expect(new Set(words(await putSmall(context, again)))).toEqual(new Set(['stored']));
    for (const { key, bytes } of again) expect((await read(store, key)).equals(bytes), key).toBe(true);
    expect(await store.gc()).toMatchObject({ leftoverChunks: 0, stagedFiles: 0, kept: [], failed: [] });
  });
});

describe('small objects that are put together', () => {
  test('have versions of their own, in the order in which they were given', async () => {
    const store = await newStore();
    const outcomes = await putSmall(await contextOf(store), puts(10));
    const versions = outcomes.map((outcome) => (outcome as { result: PutResult }).result.meta.version);
    expect([...new Set(versions)].sort()).toEqual(versions);
  });

  test('are as durable as they are to be: durable ones too are whole', async () => {
    const store = await newStore(3, { durability: 'fsync' });
    const all = puts(24);
    expect(new Set(words(await putSmall(await contextOf(store), all)))).toEqual(new Set(['stored']));
    for (const { key, bytes } of all) expect((await read(store, key)).equals(bytes), key).toBe(true);
  });

  test('go alone where one for the same key comes first', async () => {
    const store = await newStore();
    const [first, ...others] = puts(5);
    if (first === undefined) throw new Error('nothing to put');
    const outcomes = await putSmall(await contextOf(store), [first, { ...first, bytes: Buffer.from('2') }, ...others]);
    expect(words(outcomes)).toEqual(['stored', 'alone', 'stored', 'stored', 'stored', 'stored']);
    expect(filesOf(store, 'tmp')).toEqual([]);
  });

  test('go alone where somebody else has the key, and do not keep the others waiting', async () => {
    const store = await newStore();
    const all = puts(6).map((one) => ({ ...one, bytes: randomBytes(9) }));
    const session = await new KernelLocks(path.join(store.root, '.lock')).open('write');
    await session.lock(lockName.key('bucket', all[2]?.key ?? ''), 'exclusive');
    const outcomes = await putSmall(await contextOf(store), all);
    await session.close();
    expect(words(outcomes)).toEqual(['stored', 'stored', 'alone', 'stored', 'stored', 'stored']);
    // Nothing is left of it.
    expect(filesOf(store, 'chunks')).toHaveLength(5);
  });

  test('go alone where the redundancy needs more disks than there are, which is refused then', async () => {
    const store = await newStore();
    const [odd, ...others] = puts(5);
    if (odd === undefined) throw new Error('nothing to put');
    const refused = { ...odd, options: { redundancy: '3+1' } };
    const context = await contextOf(store);
    expect(words(await putSmall(context, [refused, ...others]))[0]).toBe('alone');
    const error = await failure(new Puts(context).put(refused, refused.bytes, refused.options));
    expect(error.code).toBe('BAD_REDUNDANCY');
  });

  test('are refused together where there is no bucket', async () => {
    const store = await newStore();
    const all = puts(5).map((one) => ({ ...one, bucket: 'nowhere' }));
    const context = await contextOf(store);
    expect((await failure(putSmall(context, all))).code).toBe('NO_SUCH_BUCKET');
    const errors = await Promise.all(all.map((one) => failure(store.put('nowhere', one.key, one.bytes))));
    expect(errors.map(({ code }) => code)).toEqual(all.map(() => 'NO_SUCH_BUCKET'));
    expect(filesOf(store, 'chunks')).toEqual([]);
  });

  test('are stored without a disk that is away', async () => {
    const store = await newStore(3, { redundancy: '1+1' });
    const bringBack = takeAway(store, 'disk2');
    const all = puts(20);
    const outcomes = await putSmall(await contextOf(store), all);
    expect(new Set(words(outcomes))).toEqual(new Set(['stored']));
    const offline = outcomes.map((outcome) =>
      (outcome as { result: PutResult }).result.offline.map(({ disk }) => disk),
    );
    expect(offline).toEqual(all.map(() => ['disk2']));
    bringBack();
    await store.heal();
    for (const { key, bytes } of all) expect((await read(store, key)).equals(bytes), key).toBe(true);
  });

  test('go alone where a disk does not take a chunk, and nothing is left of their first try', async () => {
    const store = await newStore(3, { redundancy: '1+1' });
    const { context, expectAllFired } = await faultyContext(store, [
      { operation: 'create', nth: 2, effect: ALWAYS.effect },
    ]);
    const all = puts(12).map((one) => ({ ...one, bytes: randomBytes(9) }));
    const outcomes = await putSmall(context, all);
    expect(words(outcomes).filter((word) => word === 'alone')).toHaveLength(1);
    expect(words(outcomes).filter((word) => word === 'stored')).toHaveLength(11);
    expect(filesOf(store, 'chunks')).toHaveLength(22);
    expectAllFired();
  });

  test('are all stored, each by itself, where a disk takes no chunks at all', async () => {
    const store = await newStore(3, { redundancy: '1+1' });
    const { context } = await faultyContext(store, [{ operation: 'create', ...ALWAYS }]);
    const all = puts(12).map((one) => ({ ...one, bytes: randomBytes(9) }));
    const group = new Puts(context);
    const results = await Promise.all(all.map((one) => group.put(one, one.bytes, {})));
    for (const { meta } of results) expect(meta.chunks.map(({ disk }) => disk)).not.toContain('disk1');
    for (const { key, bytes } of all) expect((await read(store, key)).equals(bytes), key).toBe(true);
  });

  test('are acknowledged by W disks, and say which one failed', async () => {
    const store = await newStore();
    const { context } = await faultyContext(store, [{ operation: 'publish', path: /key2\./, ...ALWAYS }]);
    const outcomes = await putSmall(context, puts(5));
    const failed = outcomes.map((outcome) => (outcome as { result: PutResult }).result.failed.map(({ disk }) => disk));
    expect(failed).toEqual([[], [], ['disk1'], [], []]);
  });

  test('are taken back one by one where too few disks publish, and the version before stays', async () => {
    const store = await newStore();
    const all = puts(6).map((one) => ({ ...one, bytes: randomBytes(9) }));
    for (const { key, bytes } of all) await store.put('bucket', key, bytes);
    const broken: PlannedFault = { operation: 'publish', path: /key2\./, times: 1, effect: ALWAYS.effect };
    const { context, expectAllFired } = await faultyContext(store, [broken], [broken]);
    const again = all.map((one) => ({ ...one, bytes: randomBytes(9) }));
    const outcomes = await putSmall(context, again);
    expectAllFired();
    expect(words(outcomes)).toEqual(['stored', 'stored', 'error', 'stored', 'stored', 'stored']);
    for (const [index, { key, bytes }] of again.entries())
      expect((await read(store, key)).equals(index === 2 ? (all[2]?.bytes ?? bytes) : bytes), key).toBe(true);
    // Its chunk was never referred to for good, and is gone.
    expect(filesOf(store, 'chunks')).toHaveLength(6);
    expect(filesOf(store, 'tmp')).toEqual([]);
  });

  test('leave their chunks where a disk may still show the meta', async () => {
    const store = await newStore();
    const all = puts(5).map((one) => ({ ...one, bytes: randomBytes(9) }));
    const broken: PlannedFault = { operation: 'publish', path: /key2\./, effect: ALWAYS.effect };
    const stuck: PlannedFault = { operation: 'remove', path: /key2\./, ...ALWAYS };
    const { context } = await faultyContext(store, [broken], [broken], [stuck]);
    const outcomes = await putSmall(context, all);
    expect(words(outcomes)).toEqual(['stored', 'stored', 'error', 'stored', 'stored']);
    expect(filesOf(store, 'chunks')).toHaveLength(5);
  });

  test('are not stored where all of them are interrupted, and nothing is left', async () => {
    const store = await newStore();
    const stop = new AbortController();
    const all = puts(5, {
      signal: stop.signal,
      onBytes: () => {
        stop.abort();
      },
    });
    const outcomes = await putSmall(
      await contextOf(store),
      all.map((one) => ({ ...one, bytes: randomBytes(9) })),
    );
    expect(words(outcomes)).toEqual(all.map(() => 'error'));
    expect(await keysOf(store)).toEqual([]);
    expect(filesOf(store, 'chunks')).toEqual([]);
  });

  test('that are interrupted do not keep the others from being stored', async () => {
    const store = await newStore();
    const stop = new AbortController();
    const interrupted = {
      signal: stop.signal,
      onBytes: () => {
        stop.abort();
      },
    };
    const all = puts(5).map((one, index): SmallPut => {
      return { ...one, bytes: randomBytes(9), options: index === 3 ? interrupted : {} };
    });
    expect(words(await putSmall(await contextOf(store), all))).toEqual([
      'stored',
      'stored',
      'stored',
      'error',
      'stored',
    ]);
    expect(filesOf(store, 'chunks')).toHaveLength(4);
  });

  test('into one bucket go on while those into another wait', async () => {
    const store = await newStore();
    await store.createBucket('busy');
    const session = await new KernelLocks(path.join(store.root, '.lock')).open('write');
    await session.lock(lockName.bucket('busy'), 'exclusive');
    const waiting = Array.from({ length: 40 }, (_, index) => store.put('busy', `key${index}`, Buffer.from('x')));
    await Promise.all(puts(20).map(({ key, bytes }) => store.put('bucket', key, bytes)));
    await session.close();
    await Promise.all(waiting);
    expect(await keysOf(store)).toHaveLength(20);
  });

  test('of different durability go in different groups, and all arrive', async () => {
    const store = await newStore();
    const all = puts(30).map((one, index) => ({
      ...one,
      options: { durability: index % 2 === 0 ? 'fsync' : 'none' } as const,
    }));
    await Promise.all(all.map(({ key, bytes, options }) => store.put('bucket', key, bytes, options)));
    for (const { key, bytes } of all) expect((await read(store, key)).equals(bytes), key).toBe(true);
  });

  test('beside a disk that hangs are stored on the others, when it has been given up', async () => {
    const store = await newStore(3, { redundancy: '1+1' });
    let release = (): void => undefined;
    const until = new Promise<void>((resolve) => (release = resolve));
    const context = await patientContext(
      store,
      (disk) =>
        disk.name === 'disk3' ? new FaultyDisk(disk, [{ operation: 'create', effect: { kind: 'hang', until } }]) : disk,
      { patience: { work: 200, look: 500 } },
    );
    const all = puts(24).map((one) => ({ ...one, bytes: randomBytes(9) }));
    const group = new Puts(context);
    const results = await Promise.all(all.map((one) => group.put(one, one.bytes, {})));
    release();
    for (const { meta } of results) expect([...meta.chunks, ...meta.parity].length).toBe(2);
    for (const { key, bytes } of all) expect((await read(store, key)).equals(bytes), key).toBe(true);
  });
});

describe('many objects that are put', () => {
  test('are told of one by one: small and large ones, files and streams, and what fails alone', async () => {
    const store = await newStore();
    const folder = path.join(store.root, '..', 'sources');
    fs.mkdirSync(folder);
    const items = Array.from({ length: 60 }, (_, index) => {
      const key = `key${index}`;
      const bytes = randomBytes(index % 20 === 0 ? 300_000 : index * 3);
      if (index % 3 === 0) return { bucket: 'bucket', key, source: bytes, bytes };
      const file = path.join(folder, key);
      if (index !== 31) fs.writeFileSync(file, bytes);
      return { bucket: 'bucket', key: index === 32 ? '' : key, source: file, bytes };
    });
    const outcomes = new Map<string, string>();
    for await (const outcome of store.putMany(items))
      outcomes.set(outcome.item.key, 'error' in outcome ? outcome.error.code : 'stored');
    expect(outcomes.get('key31')).toBe('BAD_SOURCE');
    expect(outcomes.get('')).toBe('BAD_KEY');
    expect([...outcomes.values()].filter((word) => word === 'stored')).toHaveLength(58);
    for (const [index, { key, bytes }] of items.entries())
      if (index !== 31 && index !== 32) expect((await read(store, key)).equals(bytes), key).toBe(true);
  });

  test('end with the last of those that have one key', async () => {
    const store = await newStore();
    const items = Array.from({ length: 50 }, (_, index) => {
      return { bucket: 'bucket', key: `key${index % 5}`, source: Buffer.from(String(index)) };
    });
    for await (const outcome of store.putMany(items)) expect(outcome).toHaveProperty('result');
    for (let key = 0; key < 5; key++) expect((await read(store, `key${key}`)).toString()).toBe(String(45 + key));
  });

  test('are acknowledged although no more come for now', async () => {
    const store = await newStore();
    let end = (): void => undefined;
    const stalled = new Promise<void>((resolve) => (end = resolve));
    async function* items() {
      for (let index = 0; index < 10; index++) yield { bucket: 'bucket', key: `key${index}`, source: Buffer.from('x') };
      await stalled;
    }
    let stored = 0;
    for await (const outcome of store.putMany(items())) {
      expect(outcome).toHaveProperty('result');
      if (++stored === 10) end();
    }
    expect(stored).toBe(10);
  });

  test('that change while they are read are refused, and only those', async () => {
    const store = await newStore();
    const file = path.join(store.root, '..', 'growing');
    fs.writeFileSync(file, 'x');
    const context = await contextOf(store);
    const found = await failure(
      put(context, { bucket: 'bucket', key: 'key' }, file, {
        onBytes: () => {
          fs.appendFileSync(file, 'y');
        },
      }),
    );
    expect(found.code).toBe('SOURCE_CHANGED');
  });
});
