import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSource, type ChunkSource, type PutSource } from '../../src/chunks/source.ts';
import { asNobody } from '../disks/as-nobody.ts';
import { fc } from '../metadata/property.ts';
import { seededBytes } from '../support/bytes.ts';
import { tempFolder } from '../support/temp.ts';

/** Reads a source to its end in pieces of `step` bytes, as a writer of chunks does. */
async function readAll(source: ChunkSource, step: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = await source.next(Buffer.alloc(step));
    expect(piece.length).toBeLessThanOrEqual(step);
    if (piece.length === 0) break;
    // Only the last piece may be short.
    expect(pieces.every(({ length }) => length === step)).toBe(true);
    pieces.push(Buffer.from(piece));
  }
  await source.check();
  await source.close();
  return Buffer.concat(pieces);
}

function fileOf(bytes: Uint8Array): string {
  const file = join(tempFolder(), 'file');
  writeFileSync(file, bytes);
  return file;
}

function webStream(pieces: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

describe('a source', () => {
  const kinds: [string, boolean, (bytes: Buffer) => PutSource][] = [
    ['a file', true, fileOf],
    [
      'a link to a file',
      true,
      (bytes) => {
        const link = join(tempFolder(), 'link');
        symlinkSync(fileOf(bytes), link);
        return link;
      },
    ],
    ['a buffer', true, (bytes) => bytes],
    [
      'bytes in the middle of a buffer',
      true,
      (bytes) => {
        const padded = new Uint8Array(bytes.length + 8);
        padded.set(bytes, 3);
        return padded.subarray(3, 3 + bytes.length);
      },
    ],
    ['a stream', false, (bytes) => Readable.from([bytes], { objectMode: false })],
    ['a stream of single bytes', false, (bytes) => Readable.from([...bytes].map((byte) => Buffer.of(byte)))],
    [
      'a stream with empty pieces',
      false,
      (bytes) => Readable.from([Buffer.alloc(0), bytes, Buffer.alloc(0), Buffer.alloc(0)]),
    ],
    ['a web stream', false, (bytes) => webStream([bytes.subarray(0, 7), bytes.subarray(7)])],
  ];
  for (const [name, known, make] of kinds) {
    it.each([0, 1, 9, 10, 11, 25, 30])(
      `that is ${name} gives its bytes in full pieces, here %i of them`,
      async (size) => {
        const bytes = seededBytes(size, size);
        const source = await openSource(make(bytes));
        expect(source.size).toBe(known ? size : undefined);
        expect((await readAll(source, 10)).equals(bytes)).toBe(true);
      },
    );
  }

  it('that is a stream gives the same bytes however it is cut into pieces, and however it is read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 40 })),
        fc.integer({ min: 1, max: 50 }),
        async (pieces, step) => {
          const bytes = await readAll(await openSource(Readable.from(pieces)), step);
          expect(bytes.equals(Buffer.concat(pieces))).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('that is a stream of strings gives their UTF-8', async () => {
    const source = await openSource(Readable.from(['first ', 'äöü ', '', '😀']));
    expect(String(await readAll(source, 4))).toBe('first äöü 😀');
    const encoded = Readable.from([Buffer.from('äöü')]).setEncoding('utf8');
    expect(String(await readAll(await openSource(encoded), 4))).toBe('äöü');
  });

  it('that is a stream waits for bytes that come later', async () => {
    const stream = new PassThrough();
    const source = await openSource(stream);
    const first = source.next(Buffer.alloc(6));
    stream.write('one');
    stream.write('two');
    expect(String(await first)).toBe('onetwo');
    const second = source.next(Buffer.alloc(6));
    stream.end('end');
    expect(String(await second)).toBe('end');
    expect(await source.next(Buffer.alloc(6))).toHaveLength(0);
  });

  it('that is a stream of anything but bytes and strings is a mistake of the program', async () => {
    await expect((await openSource(Readable.from([1, 2]))).next(Buffer.alloc(5))).rejects.toThrow(TypeError);
  });
});

describe('a stream that does not end well', () => {
  const failing = (): Readable =>
    Readable.from(
      (function* () {
        yield Buffer.from('some');
        throw new Error('the network is gone');
      })(),
    );
  const cut = (): Readable => {
    const stream = new PassThrough();
    stream.write('some');
    setImmediate(() => stream.destroy());
    return stream;
  };
  const failingWeb = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      pull: (controller) => {
        controller.error(new Error('the network is gone'));
      },
    });

  it.each([
    ['fails', failing, /the network is gone/],
    ['is destroyed before its end', cut, /premature/i],
    ['is a web stream that fails', failingWeb, /the network is gone/],
  ])('is refused, not taken for a shorter one, when it %s', async (_, make, reason) => {
    const source = await openSource(make());
    await expect(readAll(source, 100)).rejects.toMatchObject({
      name: 'StoreError',
      code: 'BAD_SOURCE',
      message: expect.stringMatching(reason) as string,
      cause: expect.any(Error) as Error,
    });
  });

  it('ends the wait for its bytes when the signal is aborted', async () => {
    const controller = new AbortController();
    const source = await openSource(new PassThrough(), controller.signal);
    const reading = source.next(Buffer.alloc(10));
    controller.abort();
    await expect(reading).rejects.toMatchObject({ code: 'BAD_SOURCE', cause: { name: 'AbortError' } });
  });

  it('is destroyed when the source is closed, so that whoever feeds it learns of it', async () => {
    const stream = new PassThrough();
    await (await openSource(stream)).close();
    expect(stream.destroyed).toBe(true);
  });
});

describe('a file that changes while it is read', () => {
  const changes: [string, (file: string) => void][] = [
    [
      'grows',
      (file) => {
        appendFileSync(file, 'more');
      },
    ],
    [
      'grows by much',
      (file) => {
        appendFileSync(file, Buffer.alloc(100));
      },
    ],
    [
      'shrinks',
      (file) => {
        truncateSync(file, 15);
      },
    ],
    [
      'is emptied',
      (file) => {
        truncateSync(file, 0);
      },
    ],
    [
      'is touched',
      (file) => {
        utimesSync(file, 1_000_000, 1_000_000);
      },
    ],
    [
      'is overwritten with as many bytes',
      (file) => {
        writeFileSync(file, seededBytes(25, 'others'));
        utimesSync(file, 1_000_000, 1_000_000);
      },
    ],
  ];
  it.each(changes)('is refused when it %s', async (_, change) => {
    const file = fileOf(seededBytes(25, 'bytes'));
    const source = await openSource(file);
    await source.next(Buffer.alloc(10));
    change(file);
    await expect(readAll(source, 10)).rejects.toMatchObject({
      name: 'StoreError',
      code: 'SOURCE_CHANGED',
      details: { path: file, expected: 25 },
    });
    await source.close();
  });

  it('is refused when it changes after its last byte has been read, before the check', async () => {
    const file = fileOf(seededBytes(25, 'bytes'));
    utimesSync(file, 1_000_000, 1_000_000);
    const source = await openSource(file);
    for (let read = 0; read < 25;) read += (await source.next(Buffer.alloc(10))).length;
    await source.check();
    appendFileSync(file, 'more');
    // Its size gives it away where its time has been set back.
    utimesSync(file, 1_000_000, 1_000_000);
    await expect(source.check()).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
      details: { expected: 25, found: 29 },
    });
    await source.close();
  });

  it('is refused when it has not been read to its end', async () => {
    const source = await openSource(fileOf(seededBytes(25, 'bytes')));
    await source.next(Buffer.alloc(10));
    await expect(source.check()).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    await source.close();
  });
});

describe('a path that is no file to read', () => {
  const folder = (): string => {
    const made = tempFolder();
    chmodSync(made, 0o755);
    return made;
  };
  const paths: [string, () => string | Promise<string>, RegExp][] = [
    ['missing', () => join(folder(), 'none'), /there is no such file/],
    ['missing because a folder of it is', () => join(folder(), 'none/none'), /there is no such file/],
    [
      'below a file',
      () => {
        const file = join(folder(), 'file');
        writeFileSync(file, 'x');
        return join(file, 'none');
      },
      /there is no such file/,
    ],
    ['empty', () => '', /there is no such file/],
    ['a folder', folder, /it is a folder/],
    [
      'a link that leads nowhere',
      () => {
        const link = join(folder(), 'link');
        symlinkSync('nowhere', link);
        return link;
      },
      /there is no such file/,
    ],
    [
      'a FIFO that nobody writes to',
      () => {
        const fifo = join(folder(), 'fifo');
        execFileSync('mkfifo', [fifo]);
        return fifo;
      },
      /it is not a regular file/,
    ],
    ['a device', () => '/dev/zero', /it is not a regular file/],
    [
      'a socket',
      async () => {
        const socket = join(folder(), 'socket');
        const server = createServer();
        await new Promise<void>((resolve) => server.listen(socket, resolve));
        onTestFinished(() => {
          server.close();
        });
        return socket;
      },
      /it is not a regular file/,
    ],
    [
      'unreadable',
      () => {
        const file = join(folder(), 'file');
        writeFileSync(file, 'secret', { mode: 0 });
        return file;
      },
      /permission denied/,
    ],
    ['a name with a zero byte', () => 'a\u0000b', /cannot read/],
  ];
  it.each(paths)('is refused at once: %s', async (_, make, reason) => {
    const path = await make();
    await expect(asNobody(() => openSource(path))).rejects.toMatchObject({
      name: 'StoreError',
      code: 'BAD_SOURCE',
      message: expect.stringMatching(reason) as string,
      details: { path },
    });
  });
});
