import { describe, expect, it, vi } from 'vitest';
import type { Disk } from '../../src/disks/disk.ts';
import { FaultyDisk, type PlannedFault } from '../support/faulty-disk.ts';
import { metaKind } from '../../src/metadata/catalog.ts';
import { newestCopy, readCopies } from '../../src/metadata/copies.ts';
import { formatDocument } from '../../src/metadata/document.ts';
import { mayShow, publish, PublishError, type PublishOptions } from '../../src/metadata/publish.ts';
import { deferred } from '../disks/deferred.ts';
import { makeDisks } from '../disks/make-disks.ts';
import { LATER, objectMeta, VERSION } from './sample-meta.ts';

const kind = metaKind('my-bucket', 'folder/demo.txt');
const OLD = Buffer.from(formatDocument(objectMeta({ key: 'folder/demo.txt', version: VERSION })));
const NEW = Buffer.from(formatDocument(objectMeta({ key: 'folder/demo.txt', version: LATER })));
const OPTIONS: PublishOptions = {
  path: kind.path,
  within: kind.within,
  id: 'id',
  durable: true,
  quorum: 2,
  beforeUndo: () => Promise.resolve(),
};

const full: PlannedFault['effect'] = { kind: 'fail', errno: 'ENOSPC' };
const broken: PlannedFault['effect'] = { kind: 'fail', errno: 'EIO' };

/** Three disks with a bucket, those of `holders` with the old document, each with its planned faults. */
async function prepare(holders: number[], faults: PlannedFault[][] = []) {
  const inner = makeDisks(3).map(({ disk }) => disk as Disk);
  for (const [index, disk] of inner.entries()) {
    await disk.makeFolder('buckets/my-bucket');
    if (holders.includes(index)) await (await disk.stage(kind.path, OLD, { ...OPTIONS, id: 'before' })).publish();
  }
  const before = await Promise.all(inner.map((disk) => everything(disk)));
  const faulty = inner.map((disk, index) => new FaultyDisk(disk, faults[index] ?? []));
  const copies = await readCopies(faulty, kind);
  return {
    faulty,
    copies,
    /** What the disks hold now: the name of the version, or that there is nothing. */
    held: () =>
      Promise.all(
        inner.map(async (disk) => {
          const bytes = await disk.read(kind.path);
          return bytes === undefined ? 'none' : bytes.equals(NEW) ? 'new' : bytes.equals(OLD) ? 'old' : 'else';
        }),
      ),
    expectAsBefore: async () => {
      expect(await Promise.all(inner.map((disk) => everything(disk)))).toEqual(before);
    },
    expectNothingStaged: async () => {
      for (const disk of inner) expect(await disk.list('tmp')).toEqual([]);
    },
    expectFired: () => {
      for (const disk of faulty) disk.expectAllFired();
    },
  };
}

async function everything(disk: Disk, folder = 'buckets'): Promise<string[]> {
  const entries = await disk.list(folder);
  const below = entries.map(async ({ name, isFolder }) => [
    `${folder}/${name}`,
    ...(isFolder ? await everything(disk, `${folder}/${name}`) : []),
  ]);
  return (await Promise.all(below)).flat().sort();
}

async function failure(work: Promise<unknown>): Promise<PublishError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof PublishError) return error;
  throw new Error(`not a PublishError: ${String(error)}`);
}

describe('publishing a document', () => {
  it.each([[[]], [[0, 1, 2]], [[1]]])('puts it on every disk, whichever had an older one: %j', async (holders) => {
    const test = await prepare(holders);
    expect(await publish(test.copies, NEW, OPTIONS)).toEqual([]);
    expect(await test.held()).toEqual(['new', 'new', 'new']);
    await test.expectNothingStaged();
  });

  it('begins to publish only when every disk has staged', async () => {
    const gate = deferred();
    const test = await prepare(
      [0, 1, 2],
      [[], [], [{ operation: 'stage', effect: { kind: 'hang', until: gate.promise } }]],
    );
    const others = test.faulty.slice(0, 2);
    const work = publish(test.copies, NEW, OPTIONS);
    for (const disk of others) {
      await vi.waitUntil(async () => (await disk.list('tmp')).length === 1);
      // Time enough to publish too early: another document goes all its way.
      await (await disk.stage('buckets/my-bucket/x.meta.json', OLD, { ...OPTIONS, id: 'other' })).publish();
    }
    expect(await test.held()).toEqual(['old', 'old', 'old']);
    gate.resolve();
    await work;
    expect(await test.held()).toEqual(['new', 'new', 'new']);
    test.expectFired();
  });

  it.each([0, 1, 2])('goes on without disk %i when that cannot stage, and names it', async (index) => {
    const faults: PlannedFault[][] = [[], [], []];
    faults[index] = [{ operation: 'stage', effect: full }];
    const test = await prepare([0, 1, 2], faults);
    const failures = await publish(test.copies, NEW, OPTIONS);
    expect(failures).toMatchObject([{ disk: test.faulty[index], error: { code: 'DISK_FULL' } }]);
    expect(await test.held()).toEqual([0, 1, 2].map((other) => (other === index ? 'old' : 'new')));
    await test.expectNothingStaged();
    test.expectFired();
  });

  it.each([[[]], [[0, 1, 2]], [[2]]])(
    'shows nothing when too few disks can stage, and leaves all as it was: %j',
    async (holders) => {
      const test = await prepare(holders, [
        [{ operation: 'stage', effect: full }],
        [{ operation: 'stage', effect: broken }],
        [],
      ]);
      const error = await failure(publish(test.copies, NEW, OPTIONS));
      expect(error.undone).toBe(true);
      expect(mayShow(error, kind.path)).toBe(false);
      // A disk that is full says less than one that is broken.
      expect(error).toMatchObject({ code: 'DISK_IO', details: { disk: 'disk2' } });
      expect(error.message).toContain('too few disks took the write (2 must)');
      expect(error.failures.map((entry) => [entry.disk.name, entry.error.code]).sort()).toEqual([
        ['disk1', 'DISK_FULL'],
        ['disk2', 'DISK_IO'],
      ]);
      await test.expectAsBefore();
      await test.expectNothingStaged();
      test.expectFired();
    },
  );

  it('does not even begin to publish where too few disks can stage, so that no reader sees it for a moment', async () => {
    const test = await prepare(
      [0, 1, 2],
      [[{ operation: 'stage', effect: full }], [{ operation: 'stage', effect: full }], []],
    );
    const third = test.copies[2];
    const watched = new FaultyDisk(test.faulty[2] ?? expect.fail('there are three'), [
      { operation: 'publish', effect: broken },
    ]);
    const copies = [...test.copies.slice(0, 2), ...(third === undefined ? [] : [{ ...third, disk: watched }])];
    await failure(publish(copies, NEW, OPTIONS));
    expect(() => {
      watched.expectAllFired();
    }).toThrow('never fired: publish');
    test.expectFired();
  });

  it.each(['fail', 'fail-after'] as const)(
    'counts a disk whose publish went wrong (%s) as one without it, and names it',
    async (kindOf) => {
      const test = await prepare(
        [0, 1, 2],
        [[{ operation: 'publish', effect: { kind: kindOf, errno: 'EIO' } }], [], []],
      );
      const failures = await publish(test.copies, NEW, OPTIONS);
      expect(failures).toMatchObject([{ disk: test.faulty[0], error: { code: 'DISK_IO' } }]);
      expect((await test.held()).slice(1)).toEqual(['new', 'new']);
      await test.expectNothingStaged();
      test.expectFired();
    },
  );

  for (const holders of [[], [0, 1, 2], [0], [1, 2]]) {
    for (const effect of ['fail', 'fail-after'] as const) {
      it(`puts every disk back when too few could publish (${effect}; had it before: ${JSON.stringify(holders)})`, async () => {
        const strike: PlannedFault = { operation: 'publish', effect: { kind: effect, errno: 'EIO' } };
        const test = await prepare(holders, [[strike], [strike], []]);
        const error = await failure(publish(test.copies, NEW, OPTIONS));
        expect(error.undone).toBe(true);
        expect(error.failures.map(({ disk }) => disk.name).sort()).toEqual(['disk1', 'disk2']);
        await test.expectAsBefore();
        expect(await test.held()).toEqual([0, 1, 2].map((index) => (holders.includes(index) ? 'old' : 'none')));
        await test.expectNothingStaged();
        test.expectFired();
      });
    }
  }

  it('tells that something is taken back before it is, and only then', async () => {
    const strike = (operation: 'stage' | 'publish'): PlannedFault => ({ operation, effect: broken });
    const told: string[][] = [];
    const work = async (faults: PlannedFault[][]): Promise<unknown> => {
      const test = await prepare([0, 1, 2], faults);
      const beforeUndo = async (): Promise<void> => {
        told.push(await test.held());
      };
      return publish(test.copies, NEW, { ...OPTIONS, beforeUndo }).catch((error: unknown) => error);
    };
    await work([[], [strike('publish')], []]);
    await work([[strike('stage')], [strike('stage')], []]);
    expect(told).toEqual([]);
    await work([[strike('publish')], [strike('publish')], []]);
    expect(told).toEqual([['old', 'old', 'new']]);
  });

  it('says that it was not undone when a disk could not be put back, whatever stood in the way', async () => {
    const strike: PlannedFault = { operation: 'publish', effect: broken };
    const ways: PlannedFault[] = [
      { operation: 'stage', nth: 2, effect: full },
      { operation: 'publish', nth: 2, effect: broken },
    ];
    for (const way of ways) {
      const test = await prepare([0, 1, 2], [[strike], [strike], [way]]);
      const error = await failure(publish(test.copies, NEW, OPTIONS));
      expect(error.undone).toBe(false);
      expect(mayShow(error, kind.path)).toBe(true);
      expect(mayShow(error, 'horizon.json')).toBe(false);
      expect(await test.held()).toEqual(['old', 'old', 'new']);
      await test.expectNothingStaged();
      test.expectFired();
    }
    const test = await prepare([], [[strike], [strike], [{ operation: 'remove', effect: broken }]]);
    const error = await failure(publish(test.copies, NEW, OPTIONS));
    expect(error.undone).toBe(false);
    expect(await test.held()).toEqual(['none', 'none', 'new']);
    test.expectFired();
  });

  it('is never told to be undone while some disk shows the new document, with faults anywhere', async () => {
    const places = ['stage', 'publish', 'discard', 'remove'] as const;
    for (const effect of ['fail', 'fail-after'] as const) {
      for (const first of places) {
        for (const second of places) {
          for (const times of [1, Infinity]) {
            const plan = (operation: (typeof places)[number]): PlannedFault => ({
              operation,
              times,
              effect: { kind: effect, errno: 'EIO' },
            });
            // What strikes is not planned to the call here, but in what it may leave behind: so nothing is asked of the plan.
            const test = await prepare([0, 2], [[plan(first), plan(second)], [plan(second)], [plan(first)]]);
            const work = publish(test.copies, NEW, { ...OPTIONS, durable: false });
            const result = await work.catch((error: unknown) => error);
            const held = await test.held();
            if (result instanceof PublishError) expect(result.undone && held.join() !== 'old,none,old').toBe(false);
            else expect(Array.isArray(result) && held.filter((state) => state === 'new').length >= 2).toBe(true);
          }
        }
      }
    }
  });

  it('puts back a damaged copy as it was, and cannot say so of one that could not be read', async () => {
    const strike: PlannedFault = { operation: 'publish', effect: broken };
    const damaged: PlannedFault = {
      operation: 'read',
      effect: { kind: 'damage', damage: (bytes) => bytes.fill('x', 20, 21) },
    };
    const test = await prepare([0, 1, 2], [[strike], [strike], [damaged]]);
    expect(test.copies.map(({ state }) => state)).toEqual(['valid', 'valid', 'bad']);
    expect((await failure(publish(test.copies, NEW, OPTIONS))).undone).toBe(true);
    expect(await test.held()).toEqual(['old', 'old', 'else']);
    test.expectFired();
    const unread = await prepare([0, 1, 2], [[strike], [strike], [{ operation: 'read', effect: broken }]]);
    expect((await failure(publish(unread.copies, NEW, OPTIONS))).undone).toBe(false);
    unread.expectFired();
  });

  it('takes a quorum of one where one disk is brought what the others have', async () => {
    const test = await prepare([0, 1]);
    const newest = newestCopy(test.copies);
    await publish(test.copies.slice(2), newest?.bytes ?? Buffer.alloc(0), { ...OPTIONS, quorum: 1 });
    expect(await test.held()).toEqual(['old', 'old', 'old']);
  });
});
