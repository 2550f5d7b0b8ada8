import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/index.ts';
import { collect, failure, MIB, newStore, read, tree } from '../../support/store.ts';
import { seededBytes } from '../../support/bytes.ts';
import { tempFolder } from '../../support/temp.ts';

/** Long enough for any machine; what would hang for ever is cut off here. */
const HANGS_MS = 20_000;

async function withOldVersion(): Promise<{ store: ObjectStore; before: string[] }> {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('old'));
  return { store, before: tree(store.root) };
}

async function isAsBefore(store: ObjectStore, before: string[]): Promise<void> {
  expect(tree(store.root)).toEqual(before);
  expect((await read(store, 'key')).toString()).toBe('old');
}

test('an upload that is aborted half-way is ABORTED and leaves nothing; the old version stays', async () => {
  for (const key of ['key', 'new/key']) {
    const { store, before } = await withOldVersion();
    const controller = new AbortController();
    let chunks = 0;
    const onBytes = (): void => {
      if (++chunks === 3) controller.abort();
    };
    const upload = store.put('bucket', key, seededBytes(30 * MIB, 'aborted'), { signal: controller.signal, onBytes });
    expect((await failure(upload)).code).toBe('ABORTED');
    expect(chunks).toBeLessThan(30);
    await isAsBefore(store, before);
  }
});

test('an upload whose source has nothing more to say for now can be aborted', { timeout: HANGS_MS }, async () => {
  const { store, before } = await withOldVersion();
  const sources = [
    new Readable({ read: () => undefined }),
    new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) }),
  ];
  for (const source of sources) {
    const controller = new AbortController();
    if (source instanceof Readable) source.push(seededBytes(2 * MIB + 5, 'stalled'));
    const upload = failure(store.put('bucket', 'key', source, { signal: controller.signal }));
    setImmediate(() => {
      controller.abort();
    });
    expect((await upload).code).toBe('ABORTED');
    await isAsBefore(store, before);
  }
});

test('an upload that is aborted before it began is ABORTED, whatever its source', { timeout: HANGS_MS }, async () => {
  const { store, before } = await withOldVersion();
  const file = path.join(tempFolder(), 'source');
  fs.writeFileSync(file, 'x');
  for (const source of [Buffer.from('x'), file, Readable.from(['x']), fs.createReadStream(file)]) {
    const listeners = listenersOf(source);
    const upload = failure(store.put('bucket', 'key', source, { signal: AbortSignal.abort() }));
    const added = listenersOf(source) - listeners;
    if (source instanceof Readable) source.on('error', () => undefined);
    expect((await upload).code).toBe('ABORTED');
    // A stream's error that nobody listens for brings the whole process down.
    if (source instanceof Readable) expect(added).toBeGreaterThan(0);
    await isAsBefore(store, before);
  }
});

function listenersOf(source: unknown): number {
  return source instanceof Readable ? source.listenerCount('error') : 0;
}

test(
  'an upload from a web stream that is aborted before it began is ABORTED, and does not bring the process down',
  { timeout: HANGS_MS },
  async () => {
    const { store, before } = await withOldVersion();
    const source = ReadableStream.from<Uint8Array>([Buffer.from('x')]);
    expect((await failure(store.put('bucket', 'key', source, { signal: AbortSignal.abort() }))).code).toBe('ABORTED');
    await isAsBefore(store, before);
  },
);

test('a delete that is aborted before it began deletes nothing', async () => {
  const { store, before } = await withOldVersion();
  expect((await failure(store.delete('bucket', 'key', { signal: AbortSignal.abort() }))).code).toBe('ABORTED');
  await isAsBefore(store, before);
});

test('a body that is aborted half-way fails with ABORTED and lets go of its version', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(20 * MIB, 'aborted'));
  const controller = new AbortController();
  const { body } = await store.get('bucket', 'key', { signal: controller.signal });
  let bytes = 0;
  const reading = async (): Promise<void> => {
    for await (const piece of body) {
      bytes += (piece as Buffer).length;
      controller.abort();
    }
  };
  expect((await failure(reading())).code).toBe('ABORTED');
  expect(bytes).toBeLessThan(20 * MIB);
  await store.delete('bucket', 'key');
  let report = await store.gc();
  while (report.inUse > 0) report = await store.gc();
  await store.deleteBucket('bucket');
});

test('a get that is aborted before it began is ABORTED', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(MIB, 'x'));
  const getting = async (): Promise<Buffer> =>
    collect((await store.get('bucket', 'key', { signal: AbortSignal.abort() })).body);
  expect((await failure(getting())).code).toBe('ABORTED');
});

test.each([0, 1, 5])(
  'a getToFile that is aborted after %i chunks is ABORTED and leaves neither target nor part',
  async (after) => {
    const store = await newStore();
    await store.put('bucket', 'key', seededBytes(20 * MIB, 'aborted'));
    const folder = tempFolder();
    fs.writeFileSync(path.join(folder, 'there'), 'precious');
    const before = tree(folder);
    for (const name of ['there', 'new', 'a/b/new']) {
      const controller = new AbortController();
      let chunks = 0;
      if (after === 0) controller.abort();
      const onBytes = (): void => {
        if (++chunks === after) controller.abort();
      };
      const error = await failure(
        store.getToFile('bucket', 'key', path.join(folder, name), { signal: controller.signal, onBytes }),
      );
      expect(error.code).toBe('ABORTED');
      expect(chunks).toBeLessThan(20);
      expect(tree(folder)).toEqual(before);
    }
  },
);

function failing(after: number): AsyncGenerator<Buffer> {
  return (async function* () {
    for (let chunk = 0; chunk < after; chunk++) yield await Promise.resolve(seededBytes(MIB, chunk));
    throw new Error('the wire is cut');
  })();
}

test.each([0, 1, 9])(
  'a stream that fails after %i MiB is BAD_SOURCE with its cause, and leaves nothing',
  async (after) => {
    const { store, before } = await withOldVersion();
    for (const source of [Readable.from(failing(after)), ReadableStream.from<Uint8Array>(failing(after))]) {
      const error: unknown = await store.put('bucket', 'key', source).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'BAD_SOURCE', cause: { message: 'the wire is cut' } });
      await isAsBefore(store, before);
    }
  },
);

test('a stream that fails before it is first read from is BAD_SOURCE, and does not bring the process down', async () => {
  const { store, before } = await withOldVersion();
  const source = fs.createReadStream(path.join(tempFolder(), 'none'));
  const upload = failure(store.put('bucket', 'key', source));
  const listeners = listenersOf(source);
  source.on('error', () => undefined);
  expect((await upload).code).toBe('BAD_SOURCE');
  expect(listeners).toBeGreaterThan(0);
  await isAsBefore(store, before);
});

test('a stream that was destroyed beforehand, or gives what are no bytes, fails the upload and leaves nothing', async () => {
  const { store, before } = await withOldVersion();
  const destroyed = Readable.from(['x']);
  destroyed.destroy();
  await expect(store.put('bucket', 'key', destroyed)).rejects.toThrow();
  await expect(store.put('bucket', 'key', Readable.from([{ no: 'bytes' }]))).rejects.toThrow(TypeError);
  await isAsBefore(store, before);
});

test('an upload that fails for another reason destroys its source stream, so that nobody waits for it', async () => {
  const { store, before } = await withOldVersion();
  const source = new Readable({ read: () => undefined });
  source.on('error', () => undefined);
  expect((await failure(store.put('none', 'key', source))).code).toBe('NO_SUCH_BUCKET');
  expect(source.destroyed).toBe(true);
  await isAsBefore(store, before);
});

/** What may happen to a file while it is being read. */
const CHANGES: Record<string, (file: string) => void> = {
  'grows by a byte': (file) => {
    fs.appendFileSync(file, 'x');
  },
  'is cut short': (file) => {
    fs.truncateSync(file, 5 * MIB);
  },
  'is emptied': (file) => {
    fs.truncateSync(file);
  },
  'is written to, in place': (file) => {
    const fd = fs.openSync(file, 'r+');
    fs.writeSync(fd, 'x', 11 * MIB);
    fs.closeSync(fd);
    fs.utimesSync(file, new Date(), new Date(Date.now() + 5000));
  },
};

test.each(Object.keys(CHANGES))(
  'a file that %s while it is read is SOURCE_CHANGED; nothing of it stays, and the old version does',
  async (kind) => {
    const { store, before } = await withOldVersion();
    const file = path.join(tempFolder(), 'source');
    fs.writeFileSync(file, seededBytes(12 * MIB, 'changing'));
    let changed = false;
    const onBytes = (): void => {
      if (!changed) CHANGES[kind]?.(file);
      changed = true;
    };
    expect(await failure(store.put('bucket', 'key', file, { onBytes }))).toMatchObject({
      code: 'SOURCE_CHANGED',
      path: file,
    });
    await isAsBefore(store, before);
  },
);

test('an onBytes that throws fails the upload or the read, and leaves nothing', async () => {
  const { store, before } = await withOldVersion();
  const onBytes = (): void => {
    throw new Error('the bar broke');
  };
  await expect(store.put('bucket', 'key', seededBytes(3 * MIB, 'x'), { onBytes })).rejects.toThrow('the bar broke');
  await isAsBefore(store, before);
  const folder = tempFolder();
  await expect(store.getToFile('bucket', 'key', path.join(folder, 'out'), { onBytes })).rejects.toThrow(
    'the bar broke',
  );
  expect(tree(folder)).toEqual([]);
});
