import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ChunkReader, sliceChunks } from '../../src/chunks/chunk-reader.ts';
import type { OfflineDisk } from '../../src/disks/disk-set.ts';
import type { Disk } from '../../src/disks/disk.ts';
import { FaultyDisk } from '../../src/disks/faulty-disk.ts';
import type { ChunkEntry } from '../../src/metadata/meta.ts';
import { makeDisks } from '../disks/make-disks.ts';
import { fc } from '../metadata/property.ts';
import { entryOf, objectMeta, VERSION } from '../metadata/sample-meta.ts';
import { seededBytes } from '../support/bytes.ts';

const FOLDER = `chunks/${VERSION}`;
const PIECES = [5000, 5000, 700].map((size, order) => seededBytes(size, order));

/** An object of three chunks on three disks: 0 on disk1, 1 on disk2, 2 on disk3. */
async function prepare() {
  const made = makeDisks(3);
  const chunks = PIECES.map((bytes, order) => entryOf(order, bytes));
  for (const [index, { disk }] of made.entries()) {
    await disk.makeFolder(FOLDER);
    await disk.create(`${FOLDER}/${chunks[index]?.file ?? ''}`, PIECES[index] ?? Buffer.alloc(0), { durable: false });
  }
  const meta = objectMeta({ key: 'folder/demo.txt', size: 10_700, chunks });
  return {
    meta,
    diskOf: (order: number): Disk => made[order]?.disk ?? expect.fail('there is no such disk'),
    /** The file of chunk `order`. */
    fileOf: (order: number) => `${made[order]?.root ?? ''}/${FOLDER}/${chunks[order]?.file ?? ''}`,
    read: (order: number, disks: Disk[] = made.map(({ disk }) => disk), offline: OfflineDisk[] = [], buffer?: Buffer) =>
      new ChunkReader(meta, disks, offline).read(chunks[order] ?? entryOf(9, Buffer.alloc(0)), buffer),
  };
}

/** What every error about chunk 1 of the object says. */
function aboutChunk1(code: string, words: RegExp): object {
  return {
    name: 'StoreError',
    code,
    message: expect.stringMatching(words) as string,
    details: { bucket: 'my-bucket', key: 'folder/demo.txt', version: VERSION, disk: 'disk2', chunk: 1, path: `${FOLDER}/000001.chunk` },
  };
}

const NAMED = 'chunk 1 of my-bucket/folder/demo.txt on disk "disk2" ';

describe('reading a chunk', () => {
  it.each([undefined, 0, 699, 700, 701, 10_000])('gives its bytes, whatever buffer it is lent: %s', async (size) => {
    const test = await prepare();
    const buffer = size === undefined ? undefined : Buffer.alloc(size);
    expect((await test.read(2, undefined, [], buffer)).equals(PIECES[2] ?? Buffer.alloc(0))).toBe(true);
  });

  const damages: [string, string, RegExp, (file: string, other: string) => void][] = [
    ['a flipped bit', 'CHUNK_DAMAGED', /is damaged: its SHA-256 does not match/, (file) => {
      const bytes = readFileSync(file);
      bytes[4321] = (bytes[4321] ?? 0) ^ 1;
      writeFileSync(file, bytes);
    }],
    ['zeroes of the right size', 'CHUNK_DAMAGED', /is damaged: its SHA-256 does not match/, (file) => {
      writeFileSync(file, Buffer.alloc(5000));
    }],
    ['one byte missing at its end', 'CHUNK_DAMAGED', /is damaged: it is only 4999 of 5000 bytes long/, (file) => {
      truncateSync(file, 4999);
    }],
    ['nothing in it', 'CHUNK_DAMAGED', /is damaged: it is only 0 of 5000 bytes long/, (file) => {
      truncateSync(file, 0);
    }],
    ['one byte too many', 'CHUNK_DAMAGED', /is damaged: it is too long/, (file) => {
      appendFileSync(file, 'x');
    }],
    ['far too many bytes', 'CHUNK_DAMAGED', /is damaged: it is too long/, (file) => {
      appendFileSync(file, Buffer.alloc(3_000_000));
    }],
    ['the bytes of another chunk of the same size', 'CHUNK_DAMAGED', /is damaged: its SHA-256 does not match/, (file, other) => {
      renameSync(other, file);
    }],
    ['been removed', 'CHUNK_UNAVAILABLE', /is missing/, (file) => {
      rmSync(file);
    }],
    ['been removed with its folder', 'CHUNK_UNAVAILABLE', /is missing/, (file) => {
      rmSync(`${file}/..`.replace(/\/[^/]+\/\.\.$/, ''), { recursive: true });
    }],
    ['become a folder', 'CHUNK_UNAVAILABLE', /cannot be read: .*EISDIR/, (file) => {
      rmSync(file);
      mkdirSync(file);
    }],
  ];
  for (const [name, code, words, damage] of damages) {
    it(`that has ${name} fails with ${code}, and names object, chunk and disk; the other chunks are still read`, async () => {
      const test = await prepare();
      damage(test.fileOf(1), test.fileOf(0));
      for (const buffer of [undefined, Buffer.alloc(5001)]) {
        await expect(test.read(1, undefined, [], buffer)).rejects.toMatchObject(aboutChunk1(code, new RegExp(`^${NAMED}${words.source}`)));
      }
      expect((await test.read(2)).equals(PIECES[2] ?? Buffer.alloc(0))).toBe(true);
    });
  }

  it('that is damaged says what was expected and what was found', async () => {
    const test = await prepare();
    const changed = Buffer.alloc(5000, 1);
    writeFileSync(test.fileOf(1), changed);
    const facts = { expected: test.meta.chunks[1]?.sha256, found: entryOf(1, changed).sha256 };
    await expect(test.read(1)).rejects.toMatchObject({ details: facts });
    truncateSync(test.fileOf(1), 17);
    await expect(test.read(1)).rejects.toMatchObject({ details: { expected: 5000, found: 17 } });
  });

  it('that the disk damages on its way is refused, and read right the next time', async () => {
    const test = await prepare();
    const disk = new FaultyDisk(test.diskOf(1), [{ operation: 'read', effect: { kind: 'damage', damage: (bytes) => bytes.fill(0, 10, 20) } }]);
    await expect(test.read(1, [disk])).rejects.toMatchObject({ code: 'CHUNK_DAMAGED' });
    expect((await test.read(1, [disk])).equals(PIECES[1] ?? Buffer.alloc(0))).toBe(true);
    disk.expectAllFired();
  });

  it('that the disk fails to read keeps the error of the disk as its cause', async () => {
    const test = await prepare();
    const disk = new FaultyDisk(test.diskOf(1), [{ operation: 'read', effect: { kind: 'fail', errno: 'EIO' } }]);
    const cause = { name: 'StoreError', code: 'DISK_IO', cause: { code: 'EIO' } };
    await expect(test.read(1, [disk])).rejects.toMatchObject({ ...aboutChunk1('CHUNK_UNAVAILABLE', /cannot be read/), cause });
    disk.expectAllFired();
  });

  it('that is out of reach: the disk is offline says so before a byte is read, and why', async () => {
    const test = await prepare();
    const offline: OfflineDisk[] = [{ disk: 'disk2', state: { status: 'swapped', reason: 'it is disk "disk9"' } }];
    const words = new RegExp(`^${NAMED}is out of reach: the disk is swapped \\(it is disk "disk9"\\)`);
    const online = [test.diskOf(0), test.diskOf(2)];
    await expect(test.read(1, online, offline)).rejects.toMatchObject(aboutChunk1('CHUNK_UNAVAILABLE', words));
    const reader = new ChunkReader(test.meta, online, offline);
    expect(() => {
      reader.checkDisks(sliceChunks(test.meta.chunks, 0, 10_700));
    }).toThrow(words);
    expect(() => {
      reader.checkDisks(sliceChunks(test.meta.chunks, 0, 5000));
    }).not.toThrow();
  });

  it('that lies on a disk that the store does not have says so', async () => {
    const test = await prepare();
    const words = new RegExp(`^${NAMED}is out of reach: this store has no such disk`);
    await expect(test.read(1, [])).rejects.toMatchObject(aboutChunk1('CHUNK_UNAVAILABLE', words));
  });
});

describe('the slices of a range', () => {
  it('are together exactly the bytes wanted, for chunks of any sizes', () => {
    const sizes = fc.array(fc.nat({ max: 20 }), { maxLength: 8 });
    fc.assert(
      fc.property(sizes, fc.nat({ max: 170 }), fc.nat({ max: 170 }), (lengths, a, b) => {
        const whole = seededBytes(lengths.reduce((sum, length) => sum + length, 0), 'whole');
        const pieces: Buffer[] = [];
        const chunks: ChunkEntry[] = lengths.map((size, order) => {
          const start = lengths.slice(0, order).reduce((sum, length) => sum + length, 0);
          pieces.push(whole.subarray(start, start + size));
          return entryOf(order, pieces[order] ?? Buffer.alloc(0));
        });
        const [from = 0, to = 0] = [a, b].map((end) => Math.min(end, whole.length)).sort((x, y) => x - y);
        const wanted = Buffer.alloc(to - from, 0xaa);
        let covered = 0;
        for (const slice of sliceChunks(chunks, from, to)) {
          expect(slice.target).toBe(covered);
          covered += pieces[slice.chunk.order]?.copy(wanted, slice.target, slice.from, slice.to) ?? 0;
        }
        expect(covered).toBe(to - from);
        expect(wanted.equals(whole.subarray(from, to))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
