import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Disk } from '../../src/disks/disk.ts';
import { FaultyDisk } from '../support/faulty-disk.ts';
import { PATIENCE_MS, patienceOf } from '../../src/concurrency/patience.ts';
import { PatientDisk } from '../../src/disks/patient-disk.ts';
import { bucketKind, metaKind } from '../../src/metadata/catalog.ts';
import { newestCopy, readCopies, readManyCopies } from '../../src/metadata/copies.ts';
import { formatDocument } from '../../src/metadata/document.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { deferred } from '../disks/deferred.ts';
import { bucketDocument, LATER, objectMeta, tombstone } from './sample-meta.ts';

const kind = metaKind('my-bucket', 'demo.txt');

async function diskWith(bytes: Uint8Array, path = kind.path): Promise<Disk> {
  const disk = new MemoryDisk('memory1');
  await disk.create(path, bytes);
  return disk;
}

afterEach(() => {
  vi.useRealTimers();
});

describe('the copies of a document', () => {
  it('are bad on a disk that does not answer in time, and those of the others are judged as ever', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const gate = deferred();
    const whole = Buffer.from(formatDocument(objectMeta()));
    const silent = new FaultyDisk(await diskWith(whole), [
      { operation: 'read', effect: { kind: 'hang', until: gate.promise } },
    ]);
    const owed = { hold: () => Promise.resolve(), isHeld: () => Promise.resolve(false) };
    const patient = new PatientDisk(() => silent, { atOnce: () => 1, owed, patience: patienceOf() });
    const reading = readCopies([patient, await diskWith(whole)], kind);
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    expect(await reading).toMatchObject([
      {
        state: 'bad',
        bytes: undefined,
        error: {
          code: 'DISK_IO',
          details: { disk: 'memory1', path: kind.path },
          message: expect.stringContaining('does not answer') as string,
        },
      },
      { state: 'valid' },
    ]);
    gate.resolve();
    expect(vi.getTimerCount()).toBe(0);
    silent.expectAllFired();
  });

  it('are judged one by one, in the order of the disks', async () => {
    const whole = Buffer.from(formatDocument(objectMeta()));
    const damaged = Buffer.from(whole).fill('x', 40, 41);
    const broken = new FaultyDisk(await diskWith(whole), [
      { operation: 'read', effect: { kind: 'fail', errno: 'EIO' } },
    ]);
    const disks = [await diskWith(whole), new MemoryDisk('memory2'), await diskWith(damaged), broken];
    const copies = await readCopies(disks, kind);
    expect(copies.map(({ disk }) => disk)).toEqual(disks);
    expect(copies).toMatchObject([
      { state: 'valid', document: objectMeta(), bytes: whole },
      { state: 'absent' },
      {
        state: 'bad',
        bytes: damaged,
        error: { code: 'META_DAMAGED', details: { disk: 'memory1', path: `memory1/${kind.path}` } },
      },
      { state: 'bad', bytes: undefined, error: { code: 'DISK_IO', details: { errno: 'EIO' } } },
    ]);
    broken.expectAllFired();
  });

  it('of many documents are judged as those of one, and a disk is asked only for what it may have', async () => {
    const other = metaKind('my-bucket', 'other.txt');
    const whole = Buffer.from(formatDocument(objectMeta()));
    const [first, second] = [await diskWith(whole), await diskWith(whole)];
    await second.create(other.path, Buffer.from('{'), { durable: false });
    await first.create(other.path, Buffer.from('nobody looks at it'), { durable: false });
    const sought = [
      { kind, holders: [first, second] },
      { kind: other, holders: [second] },
    ];
    const copies = await readManyCopies([first, second], sought);
    expect(copies[0]).toEqual(await readCopies([first, second], kind));
    expect(copies[1]).toMatchObject([
      { disk: first, state: 'absent' },
      { disk: second, state: 'bad', error: { code: 'META_DAMAGED' } },
    ]);
    expect(await readManyCopies([first], [])).toEqual([]);
  });

  it('are bad where the document of another key or bucket lies in the place, as after a swap by hand', async () => {
    for (const other of [
      objectMeta({ key: 'other.txt' }),
      objectMeta({ bucket: 'your-bucket' }),
      tombstone({ key: 'other.txt' }),
    ]) {
      const [copy] = await readCopies([await diskWith(Buffer.from(formatDocument(other)))], kind);
      expect(copy).toMatchObject({ state: 'bad', error: { code: 'META_DAMAGED' } });
    }
    const document = Buffer.from(formatDocument(bucketDocument({ bucket: 'your-bucket' })));
    const [copy] = await readCopies([await diskWith(document, bucketKind('my-bucket').path)], bucketKind('my-bucket'));
    expect(copy).toMatchObject({ state: 'bad', error: { code: 'META_DAMAGED' } });
  });

  it('are bad where a document of a later format lies, and say so', async () => {
    const later = Buffer.from(formatDocument(objectMeta())).toString().replace('"format": 1', '"format": 2');
    const [copy] = await readCopies([await diskWith(Buffer.from(later))], kind);
    expect(copy).toMatchObject({ state: 'bad', error: { code: 'META_DAMAGED' } });
  });

  it.each([
    ['letters in the other case', 'demo.txt', 'Demo.TXT'],
    ['an umlaut in two characters', '\u00e4', 'a\u0308'],
    ['both', '\u00c4', 'a\u0308'],
    ['a long s', 's', '\u017f'],
    ['a sharp s in capitals', 'stra\u00dfe', 'STRASSE'],
    ['a sigma at the end of a word', '\u03bf\u03b4\u03bf\u03c3', '\u039f\u0394\u039f\u03a3'],
    ['a final sigma', '\u03bf\u03b4\u03bf\u03c2', '\u039f\u0394\u039f\u03a3'],
    ['the sign for kelvin', 'k', '\u212a'],
  ])('say that the place is taken where the file system takes two names for one: %s', async (_, key, stored) => {
    const own = metaKind('my-bucket', key);
    const bytes = Buffer.from(formatDocument(objectMeta({ key: stored })));
    // On such a file system both names lead to one file; here it is put under the name that is asked for.
    const [copy] = await readCopies([await diskWith(bytes, own.path)], own);
    expect(copy).toMatchObject({ state: 'other', name: `my-bucket/${stored}` });
  });

  it('pass a mistake of the program on instead of calling it damage', async () => {
    const disk = new MemoryDisk('memory1');
    disk.read = () => Promise.reject(new TypeError('a mistake'));
    await expect(readCopies([disk], kind)).rejects.toThrow(TypeError);
  });
});

describe('the newest copy', () => {
  it('is the valid one with the latest version, whatever the order', async () => {
    const disks = [
      await diskWith(Buffer.from(formatDocument(objectMeta()))),
      await diskWith(Buffer.from(formatDocument(tombstone({ version: LATER })))),
      new MemoryDisk('memory3'),
      await diskWith(Buffer.from('{')),
    ];
    for (const order of [disks, [...disks].reverse()]) {
      expect(newestCopy(await readCopies(order, kind))?.document).toEqual(tombstone({ version: LATER }));
    }
    expect(newestCopy(await readCopies(disks.slice(2), kind))).toBeUndefined();
    expect(newestCopy([])).toBeUndefined();
  });
});
