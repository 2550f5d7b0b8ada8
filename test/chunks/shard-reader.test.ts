import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freshBuffers } from '../../src/memory/buffer-pool.ts';
import { ShardReader } from '../../src/chunks/shard-reader.ts';
import { StripeReader } from '../../src/chunks/stripe-reader.ts';
import type { OfflineDisk } from '../../src/disks/disk-set.ts';
import type { Disk } from '../../src/disks/disk.ts';
import { FaultyDisk } from '../support/faulty-disk.ts';
import { StoreError, type ErrorDetails, type Fault } from '../../src/errors.ts';
import type { ParityEntry } from '../../src/metadata/meta.ts';
import { chunkFile, fanOutOf, parityFile } from '../../src/metadata/shard-file.ts';
import { stripesOf } from '../../src/metadata/stripes.ts';
import { makeDisks } from '../disks/make-disks.ts';
import { entryOf, objectMeta, VERSION } from '../metadata/sample-meta.ts';
import { seededBytes } from '../support/bytes.ts';

const FOLDER = fanOutOf(VERSION);
const FILE = chunkFile(VERSION, 1);
const PIECES = [5000, 5000, 700].map((size, order) => seededBytes(size, order));
const NONE = Buffer.alloc(0);

/** An object of three chunks without parity on three disks: 0 on disk1, 1 on disk2, 2 on disk3. */
async function prepare() {
  const made = makeDisks(3);
  const chunks = PIECES.map((bytes, order) => entryOf(order, bytes));
  for (const [index, { disk }] of made.entries()) {
    await disk.makeFolder(FOLDER);
    await disk.create(chunks[index]?.file ?? '', PIECES[index] ?? NONE, { durable: false });
  }
  const meta = objectMeta({ key: 'folder/demo.txt', size: 10_700, chunks });
  const stripes = stripesOf(meta);
  const all: Disk[] = made.map(({ disk }) => disk);
  const chunk = (order: number) => chunks[order] ?? expect.fail('there is no such chunk');
  return {
    meta,
    stripes,
    chunk,
    diskOf: (order: number): Disk => made[order]?.disk ?? expect.fail('there is no such disk'),
    /** The file of chunk `order`. */
    fileOf: (order: number) => `${made[order]?.root ?? ''}/${chunks[order]?.file ?? ''}`,
    shards: (online = all, offline: OfflineDisk[] = []) => new ShardReader(meta, { online, offline }),
    /** As an object is read. */
    read: (order: number, online = all, offline: OfflineDisk[] = []): Promise<Buffer> =>
      new StripeReader(meta, { online, offline }, { buffers: freshBuffers }).read(
        stripes[order] ?? expect.fail('there is no such stripe'),
        [chunk(order)],
        ([bytes]) => bytes ?? NONE,
      ),
  };
}

/** What every error about chunk 1 of the object says. */
function aboutChunk1(code: string, words: RegExp): object {
  return {
    name: 'StoreError',
    code,
    message: expect.stringMatching(words) as string,
    details: {
      bucket: 'my-bucket',
      key: 'folder/demo.txt',
      version: VERSION,
      disk: 'disk2',
      chunk: 1,
      path: FILE,
    },
  };
}

const NAMED = 'chunk 1 of my-bucket/folder/demo.txt on disk "disk2" ';
const LOST = 'bytes 5000-9999 of my-bucket/folder/demo.txt cannot be read: ';

describe('reading a chunk', () => {
  it.each([undefined, 0, 699, 700, 701, 10_000])('gives its bytes, whatever buffer it is lent: %s', async (size) => {
    const test = await prepare();
    const bytes = await test
      .shards()
      .read(test.chunk(2), { buffer: size === undefined ? undefined : Buffer.alloc(size) });
    expect(bytes.equals(PIECES[2] ?? NONE)).toBe(true);
  });

  const damages: [string, string, RegExp, (file: string, other: string) => void][] = [
    [
      'a flipped bit',
      'CHUNK_DAMAGED',
      /is damaged: its SHA-256 does not match/,
      (file) => {
        const bytes = readFileSync(file);
        bytes[4321] = (bytes[4321] ?? 0) ^ 1;
        writeFileSync(file, bytes);
      },
    ],
    [
      'zeroes of the right size',
      'CHUNK_DAMAGED',
      /is damaged: its SHA-256 does not match/,
      (file) => {
        writeFileSync(file, Buffer.alloc(5000));
      },
    ],
    [
      'one byte missing at its end',
      'CHUNK_DAMAGED',
      /is damaged: it is only 4999 of 5000 bytes long/,
      (file) => {
        truncateSync(file, 4999);
      },
    ],
    [
      'nothing in it',
      'CHUNK_DAMAGED',
      /is damaged: it is only 0 of 5000 bytes long/,
      (file) => {
        truncateSync(file, 0);
      },
    ],
    [
      'one byte too many',
      'CHUNK_DAMAGED',
      /is damaged: it is too long/,
      (file) => {
        appendFileSync(file, 'x');
      },
    ],
    [
      'far too many bytes',
      'CHUNK_DAMAGED',
      /is damaged: it is too long/,
      (file) => {
        appendFileSync(file, Buffer.alloc(3_000_000));
      },
    ],
    [
      'the bytes of another chunk of the same size',
      'CHUNK_DAMAGED',
      /is damaged: its SHA-256 does not match/,
      (file, other) => {
        renameSync(other, file);
      },
    ],
    [
      'been removed',
      'CHUNK_UNAVAILABLE',
      /is missing/,
      (file) => {
        rmSync(file);
      },
    ],
    [
      'been removed with its folder',
      'CHUNK_UNAVAILABLE',
      /is missing/,
      (file) => {
        rmSync(dirname(file), { recursive: true });
      },
    ],
    [
      'become a folder',
      'CHUNK_UNAVAILABLE',
      /cannot be read: .*EISDIR/,
      (file) => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
  ];
  for (const [name, code, words, damage] of damages) {
    it(`that has ${name} fails with ${code}, and names object, chunk and disk; the other chunks are still read`, async () => {
      const test = await prepare();
      damage(test.fileOf(1), test.fileOf(0));
      const shards = test.shards();
      for (const buffer of [undefined, Buffer.alloc(5001)]) {
        const read = shards.read(test.chunk(1), { buffer });
        const checked = read.then((bytes) => shards.check(test.chunk(1), bytes));
        await expect(checked).rejects.toMatchObject(aboutChunk1(code, new RegExp(`^${NAMED}${words.source}`)));
      }
      const failure = aboutChunk1(code, new RegExp(`^${LOST}${NAMED}${words.source}`));
      await expect(test.read(1)).rejects.toMatchObject(failure);
      await expect(test.read(1)).rejects.toMatchObject({ details: { from: 5000, to: 10_000, disks: ['disk2'] } });
      expect((await test.read(2)).equals(PIECES[2] ?? NONE)).toBe(true);
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
    const disk = new FaultyDisk(test.diskOf(1), [
      { operation: 'read', effect: { kind: 'damage', damage: (bytes) => bytes.fill(0, 10, 20) } },
    ]);
    await expect(test.read(1, [disk])).rejects.toMatchObject({ code: 'CHUNK_DAMAGED' });
    expect((await test.read(1, [disk])).equals(PIECES[1] ?? NONE)).toBe(true);
    disk.expectAllFired();
  });

  it('that the disk fails to read keeps the error of the disk as its cause', async () => {
    const test = await prepare();
    const fault = { operation: 'read', effect: { kind: 'fail', errno: 'EIO' }, times: 2 } as const;
    const disk = new FaultyDisk(test.diskOf(1), [fault]);
    const cause = { name: 'StoreError', code: 'DISK_IO', cause: { code: 'EIO' } };
    const failure = { ...aboutChunk1('CHUNK_UNAVAILABLE', /cannot be read/), cause };
    await expect(test.shards([disk]).read(test.chunk(1))).rejects.toMatchObject(failure);
    await expect(test.read(1, [disk])).rejects.toMatchObject({
      code: 'CHUNK_UNAVAILABLE',
      details: { errno: 'EIO' },
      cause: failure,
    });
    disk.expectAllFired();
  });

  it('that is out of reach: the disk is offline says so before a byte is read, and why', async () => {
    const test = await prepare();
    const offline: OfflineDisk[] = [{ disk: 'disk2', state: { status: 'swapped', reason: 'it is disk "disk9"' } }];
    const words = `${NAMED}is out of reach: the disk is swapped \\(it is disk "disk9"\\)`;
    const online = [test.diskOf(0), test.diskOf(2)];
    await expect(test.shards(online, offline).read(test.chunk(1))).rejects.toMatchObject(
      aboutChunk1('CHUNK_UNAVAILABLE', new RegExp(`^${words}`)),
    );
    await expect(test.read(1, online, offline)).rejects.toMatchObject(
      aboutChunk1('CHUNK_UNAVAILABLE', new RegExp(`^${LOST}${words}`)),
    );
    const reader = new StripeReader(test.meta, { online, offline }, { buffers: freshBuffers });
    const check = (order: number) => (): void => {
      reader.checkDisks(test.stripes[order] ?? expect.fail('there is no such stripe'), [test.chunk(order)]);
    };
    expect(check(1)).toThrow(new RegExp(`^${LOST}${words}`));
    expect(check(0)).not.toThrow();
  });

  it('that lies on a disk that the store does not have says so', async () => {
    const test = await prepare();
    const words = new RegExp(`^${LOST}${NAMED}is out of reach: this store has no such disk`);
    await expect(test.read(1, [])).rejects.toMatchObject(aboutChunk1('CHUNK_UNAVAILABLE', words));
  });

  it('passes a mistake of the program on instead of calling it damage', async () => {
    const test = await prepare();
    const disk = test.diskOf(1);
    disk.read = () => Promise.reject(new TypeError('a mistake'));
    await expect(test.shards([disk]).read(test.chunk(1))).rejects.toThrow(TypeError);
    await expect(test.read(1, [disk])).rejects.toThrow(TypeError);
  });
});

describe('looking whether a chunk is there', () => {
  it('finds nothing wrong with one that is there and as long as it should be, whatever its bytes', async () => {
    const test = await prepare();
    await test.shards().checkPresence(test.chunk(1));
    writeFileSync(test.fileOf(1), Buffer.alloc(5000));
    await test.shards().checkPresence(test.chunk(1));
  });

  it.each([
    [
      'missing',
      'CHUNK_UNAVAILABLE',
      /is missing/,
      (file: string) => {
        rmSync(file);
      },
    ],
    [
      'too short',
      'CHUNK_DAMAGED',
      /is damaged: it is only 17 of 5000 bytes long/,
      (file: string) => {
        truncateSync(file, 17);
      },
    ],
    [
      'too long',
      'CHUNK_DAMAGED',
      /is damaged: it is too long/,
      (file: string) => {
        appendFileSync(file, 'x');
      },
    ],
    [
      'out of reach behind a file',
      'CHUNK_UNAVAILABLE',
      /cannot be read: .*ENOTDIR/,
      (file: string) => {
        rmSync(dirname(file), { recursive: true });
        writeFileSync(dirname(file), '');
      },
    ],
  ] as const)('finds one that is %s, and calls that %s', async (_, code, words, harm) => {
    const test = await prepare();
    harm(test.fileOf(1));
    await expect(test.shards().checkPresence(test.chunk(1))).rejects.toMatchObject(
      aboutChunk1(code, new RegExp(`^${NAMED}${words.source}`)),
    );
  });

  it('finds one on a disk that is not there', async () => {
    const test = await prepare();
    await expect(test.shards([]).checkPresence(test.chunk(1))).rejects.toMatchObject(
      aboutChunk1('CHUNK_UNAVAILABLE', /this store has no such disk/),
    );
    expect(test.shards([]).isOnline(test.chunk(1))).toBe(false);
    expect(test.shards().isOnline(test.chunk(1))).toBe(true);
  });
});

describe('the fault of an error about a chunk', () => {
  /** A disk error as some disk may make it: without a system's code. */
  const silent = (details: ErrorDetails): StoreError => new StoreError('DISK_IO', 'disk "disk2" failed', details);
  const faults: [Fault, string, (disk: Disk, file: string) => void][] = [
    [
      'missing',
      'a file that is not there',
      (_, file) => {
        rmSync(file);
      },
    ],
    [
      'damaged',
      'other bytes',
      (_, file) => {
        writeFileSync(file, Buffer.alloc(5000));
      },
    ],
    [
      'damaged',
      'too few bytes',
      (_, file) => {
        truncateSync(file, 4999);
      },
    ],
    [
      'too-long',
      'more bytes than there is memory for',
      (_, file) => {
        appendFileSync(file, Buffer.alloc(50_000));
      },
    ],
    [
      'blocked',
      'a file in the place of its folder',
      (_, file) => {
        rmSync(dirname(file), { recursive: true });
        writeFileSync(dirname(file), 'x');
      },
    ],
    [
      'offline',
      'a disk that does not answer',
      (disk) => (disk.read = () => Promise.reject(silent({ fault: 'offline' }))),
    ],
    ['unreadable', 'a disk that fails and does not say why', (disk) => (disk.read = () => Promise.reject(silent({})))],
  ];

  it.each(faults)('is "%s" for %s, and its code goes by that', async (fault, _, harm) => {
    const test = await prepare();
    harm(test.diskOf(1), test.fileOf(1));
    const code = fault === 'damaged' || fault === 'too-long' ? 'CHUNK_DAMAGED' : 'CHUNK_UNAVAILABLE';
    await expect(test.read(1)).rejects.toMatchObject({ code, details: { fault, disk: 'disk2', chunk: 1 } });
  });

  it('is "offline" where the disk is not among those at hand', async () => {
    const test = await prepare();
    const failure = { code: 'CHUNK_UNAVAILABLE', details: { fault: 'offline' } };
    await expect(test.read(1, [test.diskOf(0)])).rejects.toMatchObject(failure);
  });
});

describe('an error about parity', () => {
  it('names the row and the chunks that it protects, and has no number of a chunk', async () => {
    const test = await prepare();
    const { order, ...rest } = entryOf(0, PIECES[0] ?? NONE, 'disk2');
    const parity: ParityEntry = { ...rest, protects: [order, 1], row: 1, file: parityFile(VERSION, 0, 1) };
    const error: unknown = await test
      .shards()
      .read(parity)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'CHUNK_UNAVAILABLE',
      message: `parity 1 of chunks 0-1 of my-bucket/folder/demo.txt on disk "disk2" is missing (${parityFile(VERSION, 0, 1)})`,
      details: { disk: 'disk2', path: parityFile(VERSION, 0, 1), fault: 'missing' },
    });
    expect((error as { details: object }).details).not.toHaveProperty('chunk');
  });
});
