import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CallGate, NO_TURNS } from '../../../src/concurrency/call-gate.ts';
import type { Failures, NewDocument, NewFile } from '../../../src/disks/disk.ts';
import { LocalMany } from '../../../src/disks/local/local-many.ts';
import type { OpenSync } from '../../../src/files/shared-sync.ts';
import { seededBytes } from '../../support/bytes.ts';
import { NO_FOLDERS, SPECIALS } from '../../support/special-files.ts';
import { mountProblem, mountSmall } from '../../faults/full-disk-mount.ts';
import { deferred } from '../deferred.ts';
import { makeDisk } from '../make-disks.ts';

const COUNT = 12;
const INDICES = Array.from({ length: COUNT }, (_, index) => index);
const NOTHING: Failures = new Map();
const IN_CHUNKS = { within: 'chunks', durable: true };

const chunks = (): NewFile[] =>
  INDICES.map((index) => ({ path: `chunks/a${index % 2}/${index}`, bytes: seededBytes(50 + index, index) }));
const metas = (): NewDocument[] =>
  INDICES.map((index) => ({
    path: `buckets/b/${index}`,
    bytes: seededBytes(60, index),
    id: `id-${index}`,
    within: 'buckets',
  }));
const pathsOf = (many: readonly NewFile[]): string[] => many.map(({ path }) => path);

/** A sync that notes what is on the disk when it is opened and when it is made, and does what it is told then. */
function watchedSync(
  root: string,
  sync: () => Promise<void> = () => Promise.resolve(),
  device = fs.statSync(root).dev,
) {
  const seen: string[][] = [];
  const events: string[] = [];
  const look = (event: string): void => {
    events.push(event);
    seen.push(filesBelow(root));
  };
  const open: OpenSync = () => {
    look('open');
    return Promise.resolve({
      device,
      sync: () => {
        look('sync');
        return sync();
      },
      close: () => {
        events.push('close');
        return Promise.resolve();
      },
    });
  };
  return { open, events, seen };
}

function filesBelow(root: string): string[] {
  const entries = fs.readdirSync(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory() && entry.name !== 'disk.json');
  return files.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)).sort();
}

function prepare(sync?: () => Promise<void>) {
  const { disk, root } = makeDisk();
  const watched = watchedSync(root, sync);
  return { disk, root, ...watched, many: new LocalMany(disk, root, NO_TURNS, watched.open) };
}

const fail = (code: string) => (): Promise<void> => Promise.reject(Object.assign(new Error(`${code}: no`), { code }));

describe('one sync for many files', () => {
  it('is opened before the first of them is written, made after the last, once, and closed', async () => {
    const { many, events, seen } = prepare();
    const [files, documents] = [chunks(), metas()];
    expect(await many.createMany(files, IN_CHUNKS)).toEqual(NOTHING);
    const staged = await many.stageMany(documents, { durable: true });
    expect(await staged.publish(INDICES)).toEqual(NOTHING);
    expect(
      await many.removeMany(
        files.map(({ path }) => ({ path, within: 'chunks' })),
        { durable: true },
      ),
    ).toEqual(NOTHING);
    expect(events).toEqual(Array(4).fill(['open', 'sync', 'close']).flat());
    const [created, names] = [pathsOf(files), pathsOf(documents)];
    const inStaging = documents.map(({ id }) => `tmp/${id}`);
    const states = [[], created, [...created, ...inStaging], [...created, ...names], names];
    expect(seen).toEqual([0, 1, 1, 2, 2, 3, 3, 4].map((state) => [...(states[state] ?? [])].sort()));
  });

  it('is waited for', async () => {
    const hang = deferred();
    const { many, events } = prepare(() => hang.promise);
    let isDone = false;
    const creating = many.createMany(chunks(), IN_CHUNKS).then(() => (isDone = true));
    while (!events.includes('sync')) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(isDone).toBe(false);
    hang.resolve();
    await creating;
  });

  it('is none where nothing is to be durable', async () => {
    const { many, events } = prepare();
    await many.createMany(chunks(), { within: 'chunks', durable: false });
    const staged = await many.stageMany(metas(), { durable: false });
    await staged.publish(INDICES);
    await many.removeMany(metas(), { durable: false });
    expect(events).toEqual([]);
  });

  const failure = { code: 'DISK_IO', details: { disk: 'disk1', errno: 'EIO' } };
  const expectAll = (failures: Failures, error: object): void => {
    expect([...failures.keys()].sort((one, other) => one - other)).toEqual(INDICES);
    for (const told of failures.values()) expect(told).toMatchObject(error);
  };

  it('that fails is made once, and leaves nothing of what has been created or staged', async () => {
    const { many, events, root } = prepare(fail('EIO'));
    expectAll(await many.createMany(chunks(), IN_CHUNKS), failure);
    expect(filesBelow(root)).toEqual([]);
    const staged = await many.stageMany(metas(), { durable: true });
    expectAll(staged.failures, failure);
    expect(filesBelow(root)).toEqual([]);
    expect(events.filter((event) => event === 'sync')).toHaveLength(2);
  });

  it('that fails is told of all that was published or removed', async () => {
    let sync = (): Promise<void> => Promise.resolve();
    const { many, events } = prepare(() => sync());
    const staged = await many.stageMany(metas(), { durable: true });
    sync = fail('EIO');
    expectAll(await staged.publish(INDICES), failure);
    const old = metas().map(({ path, within }) => ({ path, within }));
    expectAll(await many.removeMany(old, { durable: true }), failure);
    expect(events.filter((event) => event === 'sync')).toHaveLength(3);
  });

  it('that fails takes back only what was written, and not what was there', async () => {
    const { many, root } = prepare(fail('EIO'));
    fs.mkdirSync(join(root, 'chunks/a0'));
    fs.writeFileSync(join(root, 'chunks/a0/4'), 'mine');
    const failures = await many.createMany(chunks(), IN_CHUNKS);
    expect(failures.size).toBe(COUNT);
    expect(failures.get(4)).toMatchObject({ cause: { code: 'EEXIST' } });
    expect(filesBelow(root)).toEqual(['chunks/a0/4']);
    expect(fs.readFileSync(join(root, 'chunks/a0/4'), 'utf8')).toBe('mine');
  });

  it('that lacks memory accuses no disk', async () => {
    const { many } = prepare(fail('ENOMEM'));
    expectAll(await many.createMany(chunks(), IN_CHUNKS), { code: 'OUT_OF_RESOURCES' });
  });

  it('is replaced by a sync of each, where it can not be opened', async () => {
    const { disk, root } = makeDisk();
    for (const open of [(): Promise<undefined> => Promise.resolve(undefined), fail('EMFILE') as () => Promise<never>]) {
      const many = new LocalMany(disk, root, NO_TURNS, open);
      expect(await many.createMany(chunks(), IN_CHUNKS)).toEqual(NOTHING);
      const staged = await many.stageMany(metas(), { durable: true });
      expect(await staged.publish(INDICES)).toEqual(NOTHING);
      expect(filesBelow(root)).toEqual([...pathsOf(chunks()), ...pathsOf(metas())].sort());
      const old = [...chunks(), ...metas()].map(({ path }) => ({ path, within: path.split('/', 1)[0] ?? '' }));
      expect(await many.removeMany(old, { durable: true })).toEqual(NOTHING);
      expect(filesBelow(root)).toEqual([]);
    }
  });

  it('is not relied on for what is on a file system that is mounted below the disk', async ({ skip }) => {
    const problem = mountProblem();
    skip(problem !== undefined, problem);
    const { disk, root } = makeDisk();
    mountSmall(join(root, 'chunks'), 'size=4m');
    const { open } = watchedSync(root);
    const alone: string[] = [];
    const watched = {
      name: disk.name,
      read: disk.read.bind(disk),
      stat: disk.stat.bind(disk),
      makeFolder: disk.makeFolder.bind(disk),
      stage: disk.stage.bind(disk),
      staged: disk.staged.bind(disk),
      create: (...args: Parameters<typeof disk.create>) => {
        alone.push(`create ${args[0]} ${args[2].durable}`);
        return disk.create(...args);
      },
      syncNearest: (path: string) => {
        alone.push(`sync ${path}`);
        return disk.syncNearest(path);
      },
      remove: (...args: Parameters<typeof disk.remove>) => {
        alone.push(`remove ${args[0]} ${args[1].durable}`);
        return disk.remove(...args);
      },
    };
    const many = new LocalMany(watched, root, NO_TURNS, open);
    const files = chunks();
    expect(await many.createMany(files, IN_CHUNKS)).toEqual(NOTHING);
    for (const { path } of files) expect(alone).toContain(`create ${path} true`);
    for (const folder of ['chunks/a0/', 'chunks/a1/', 'chunks/']) expect(alone).toContain(`sync ${folder}`);
    expect(
      await many.removeMany(
        files.map(({ path }) => ({ path, within: 'chunks' })),
        { durable: true },
      ),
    ).toEqual(NOTHING);
    for (const { path } of files) expect(alone).toContain(`remove ${path} true`);
    expect(filesBelow(root)).toEqual([]);
  });

  it('takes a turn to be opened and made, so that a disk that hangs keeps no more threads than its turns', async () => {
    const { disk, root } = makeDisk();
    const hang = deferred();
    let opening = 0;
    const open: OpenSync = async () => {
      opening++;
      await hang.promise;
      return undefined;
    };
    const many = new LocalMany(disk, root, new CallGate(() => 1), open);
    const creating = INDICES.map((index) =>
      many.createMany([{ path: `chunks/${index}`, bytes: Buffer.from('x') }], IN_CHUNKS),
    );
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(opening).toBe(1);
    hang.resolve();
    expect(await Promise.all(creating)).toEqual(INDICES.map(() => NOTHING));
  });
});

describe('a disk that is not there', () => {
  it.each(['', 'buckets'])('is an error for each of many files, never "there is none": without "%s"', async (gone) => {
    const { disk, root } = makeDisk();
    fs.renameSync(join(root, gone), `${root}-gone`);
    const paths = pathsOf(metas());
    const failure = { error: { code: 'DISK_IO', details: { disk: 'disk1' } } };
    for (const outcomes of [await disk.readMany(paths), await disk.statMany(paths)])
      for (const outcome of outcomes) expect(outcome).toMatchObject(failure);
    const removed = await disk.removeMany(metas(), { durable: true });
    const staged = await disk.stageMany(metas(), { durable: true });
    expect([removed.size, staged.failures.size]).toEqual([COUNT, COUNT]);
  });

  it('that has gone between staging and publishing fails to publish, and shows nothing', async () => {
    const { disk, root } = makeDisk();
    const staged = await disk.stageMany(metas(), { durable: true });
    fs.renameSync(root, `${root}-gone`);
    expect((await staged.publish(INDICES)).size).toBe(COUNT);
    fs.renameSync(`${root}-gone`, root);
    expect(filesBelow(root)).toEqual(
      metas()
        .map(({ id }) => `tmp/${id}`)
        .sort(),
    );
    expect(await staged.discard(INDICES)).toEqual(NOTHING);
    expect(filesBelow(root)).toEqual([]);
  });
});

describe.each(SPECIALS)('$what in the place of one of many files', ({ what, make, problem }) => {
  it('is an error for who reads or creates it, and the others do not suffer', async ({ skip }) => {
    skip(problem !== undefined, problem);
    const { disk, root } = makeDisk();
    const files = chunks().map(({ bytes }, index) => ({ path: `chunks/${index}`, bytes }));
    await make(join(root, 'chunks/3'));
    expect([...(await disk.createMany(files, IN_CHUNKS)).keys()]).toEqual([3]);
    const outcomes = await disk.readMany(pathsOf(files));
    expect(outcomes.map((outcome) => 'error' in outcome)).toEqual(INDICES.map((index) => index === 3));
    expect(outcomes[3]).toMatchObject({ error: { code: 'DISK_IO', details: { disk: 'disk1' } } });
    const stats = await disk.statMany(pathsOf(files));
    expect(stats.map((outcome) => 'stat' in outcome && outcome.stat?.isFile)).toEqual(
      INDICES.map((index) => index !== 3),
    );
  });

  it('makes way for what is published, unless it is a folder; where something is staged it is not written through', async ({
    skip,
  }) => {
    skip(problem !== undefined, problem);
    const { disk, root } = makeDisk();
    fs.mkdirSync(join(root, 'buckets/b'));
    await make(join(root, 'buckets/b/3'));
    await make(join(root, 'tmp/id-5'));
    const staged = await disk.stageMany(metas(), { durable: true });
    // A device takes what is written to it, also from who stages a single document.
    if (what !== 'a device without an end') expect([...staged.failures.keys()]).toEqual([5]);
    const failures = await staged.publish(INDICES.filter((index) => index !== 5));
    expect([...failures.keys()]).toEqual(what === 'a folder' ? [3] : []);
    const [read] = await disk.readMany(['buckets/b/3']);
    if (what !== 'a folder') expect(read).toEqual({ bytes: metas()[3]?.bytes });
  });
});

describe.each(NO_FOLDERS)('$what in the place of a folder above many files', ({ make, problem }) => {
  it('is an error for each, and nobody is led elsewhere', async ({ skip }) => {
    skip(problem !== undefined, problem);
    const { disk, root } = makeDisk();
    await make(join(root, 'buckets/b'));
    const elsewhere = join(root, 'buckets/b-elsewhere');
    if (fs.existsSync(elsewhere))
      for (const index of INDICES) fs.writeFileSync(join(elsewhere, String(index)), 'theirs');
    const before = filesBelow(root);
    const paths = pathsOf(metas());
    const blocked = { code: 'DISK_IO', details: { errno: 'ENOTDIR', fault: 'blocked' } };
    for (const outcomes of [await disk.readMany(paths), await disk.statMany(paths)])
      for (const outcome of outcomes) expect(outcome).toMatchObject({ error: blocked });
    const failed = [
      await disk.createMany(metas(), { within: 'buckets', durable: true }),
      (await disk.stageMany(metas(), { durable: true })).failures,
      await disk.removeMany(metas(), { durable: true }),
    ];
    for (const failures of failed) {
      expect(failures.size).toBe(COUNT);
      for (const error of failures.values()) expect(error).toMatchObject(blocked);
    }
    expect(filesBelow(root)).toEqual(before);
  });
});

it('what has become a link since it was staged is not published through', async () => {
  const { disk, root } = makeDisk();
  const staged = await disk.stageMany(metas(), { durable: true });
  fs.rmdirSync(join(root, 'buckets/b'));
  fs.mkdirSync(join(root, 'elsewhere'));
  fs.symlinkSync('../elsewhere', join(root, 'buckets/b'));
  expect((await staged.publish(INDICES)).size).toBe(COUNT);
  expect(fs.readdirSync(join(root, 'elsewhere'))).toEqual([]);
});

it('a disk that is full tells so of each file, and keeps no part of any', async ({ skip }) => {
  const problem = mountProblem();
  skip(problem !== undefined, problem);
  const { disk, root } = makeDisk();
  mountSmall(join(root, 'chunks'), 'size=64k');
  const files = chunks().map(({ path }, index) => ({ path, bytes: seededBytes(20_000, index) }));
  const failures = await disk.createMany(files, IN_CHUNKS);
  expect(failures.size).toBeGreaterThan(COUNT / 2);
  for (const error of failures.values()) expect(error).toMatchObject({ code: 'DISK_FULL' });
  const kept = files.filter((_, index) => !failures.has(index));
  expect(filesBelow(root)).toEqual(pathsOf(kept).sort());
  expect(await disk.readMany(pathsOf(kept))).toEqual(kept.map(({ bytes }) => ({ bytes })));
});
