import { describe, expect, it } from 'vitest';
import type { Disk } from '../../src/disks/disk.ts';
import { FaultyDisk, type PlannedFault } from '../support/faulty-disk.ts';
import { metaKind } from '../../src/metadata/catalog.ts';
import { readCopies } from '../../src/metadata/copies.ts';
import { formatDocument } from '../../src/metadata/document.ts';
import { PublishError } from '../../src/metadata/publish.ts';
import { retract } from '../../src/metadata/retract.ts';
import { makeDisks } from '../disks/make-disks.ts';
import { objectMeta, tombstone } from './sample-meta.ts';

const kind = metaKind('my-bucket', 'demo.txt');
const META = Buffer.from(formatDocument(objectMeta()));
const TOMBSTONE = Buffer.from(formatDocument(tombstone()));
const makeTombstone = (): Promise<Buffer> => Promise.resolve(TOMBSTONE);
const OPTIONS = {
  path: kind.path,
  within: kind.within,
  id: 'id',
  durable: true,
  quorum: 2,
  beforeUndo: () => Promise.resolve(),
  areAllOnline: () => Promise.resolve(true),
};

/** Three disks that hold the meta, each with its planned faults. */
async function prepare(faults: PlannedFault[][] = []) {
  const inner = makeDisks(3).map(({ disk }) => disk as Disk);
  for (const disk of inner) {
    await disk.makeFolder('buckets/my-bucket');
    await disk.create(kind.path, META, { durable: false });
  }
  const faulty = inner.map((disk, index) => new FaultyDisk(disk, faults[index] ?? []));
  return {
    copies: await readCopies(faulty, kind),
    held: () =>
      Promise.all(
        inner.map(async (disk) => {
          const bytes = await disk.read(kind.path);
          return bytes === undefined
            ? 'none'
            : bytes.equals(TOMBSTONE)
              ? 'tombstone'
              : bytes.equals(META)
                ? 'meta'
                : 'else';
        }),
      ),
    expectFired: () => {
      for (const disk of faulty) disk.expectAllFired();
    },
  };
}

describe('taking a document back', () => {
  it('leaves nothing where all disks are there, and needs no room for it', async () => {
    const noRoom: PlannedFault = { operation: 'stage', times: Infinity, effect: { kind: 'fail', errno: 'ENOSPC' } };
    const test = await prepare([[noRoom], [noRoom], [noRoom]]);
    await retract(test.copies, makeTombstone, OPTIONS);
    expect(await test.held()).toEqual(['none', 'none', 'none']);
  });

  it('leaves a tombstone on the disks that are there while one is away', async () => {
    const test = await prepare();
    await retract(test.copies.slice(1), makeTombstone, { ...OPTIONS, areAllOnline: () => Promise.resolve(false) });
    expect(await test.held()).toEqual(['meta', 'tombstone', 'tombstone']);
  });

  it('leaves tombstones where a disk has gone while it was unlinked, which looks as if it had nothing', async () => {
    const test = await prepare();
    let looks = 0;
    await retract(test.copies, makeTombstone, { ...OPTIONS, areAllOnline: () => Promise.resolve(++looks === 1) });
    expect(await test.held()).toEqual(['tombstone', 'tombstone', 'tombstone']);
  });

  it.each(['fail', 'fail-after'] as const)(
    'leaves tombstones where a disk refuses to remove it (%s)',
    async (effect) => {
      const test = await prepare([[], [{ operation: 'remove', effect: { kind: effect, errno: 'EIO' } }], []]);
      await retract(test.copies, makeTombstone, OPTIONS);
      expect(await test.held()).toEqual(['tombstone', 'tombstone', 'tombstone']);
      test.expectFired();
    },
  );

  it('gives the disks back what they had where too few take the tombstone', async () => {
    const noRoom: PlannedFault = { operation: 'stage', effect: { kind: 'fail', errno: 'ENOSPC' } };
    const refuses: PlannedFault = { operation: 'remove', effect: { kind: 'fail', errno: 'EIO' } };
    const test = await prepare([[noRoom], [refuses, noRoom], []]);
    await expect(retract(test.copies, makeTombstone, OPTIONS)).rejects.toThrow(PublishError);
    expect(await test.held()).toEqual(['meta', 'meta', 'meta']);
    test.expectFired();
  });

  it('gives the disks back what they had where the tombstone was staged and could not be published', async () => {
    const fails: PlannedFault = { operation: 'publish', effect: { kind: 'fail', errno: 'EIO' } };
    const test = await prepare([[fails], [fails], []]);
    await expect(
      retract(test.copies, makeTombstone, { ...OPTIONS, areAllOnline: () => Promise.resolve(false) }),
    ).rejects.toThrow(PublishError);
    expect(await test.held()).toEqual(['meta', 'meta', 'meta']);
    test.expectFired();
  });
});
