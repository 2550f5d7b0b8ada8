import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../../src/index.ts';
import { chunkPath, failure, metaCopies, MIB, newStore, read } from '../../support/store.ts';
import { seededBytes } from '../../support/bytes.ts';
import { tempFolder } from '../../support/temp.ts';

test.each([1, 2, 4])(
  'a reader that stops after the first bytes: with a concurrency of %i only that many chunks and a few are read ahead',
  async (concurrency) => {
    const { root } = await newStore();
    const store = await ObjectStore.open(root, { concurrency });
    const chunks = 30;
    await store.put('bucket', 'key', seededBytes(chunks * MIB, 'ahead'));
    let ahead = 0;
    const { body } = await store.get('bucket', 'key', { onBytes: () => ahead++ });
    await new Promise((resolve) => body.once('readable', resolve));
    expect((body.read(10) as Buffer).length).toBe(10);
    // Meanwhile another reader goes through the whole object: time enough for this one to do so too, if it could.
    await store.getToFile('bucket', 'key', path.join(tempFolder(), 'out'));
    expect(ahead).toBeGreaterThan(0);
    expect(ahead).toBeLessThanOrEqual(2 * concurrency + 2);
    body.destroy();
  },
);

test('a body that nobody reads from reads nothing', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(12 * MIB, 'unread'));
  let ahead = 0;
  const { body } = await store.get('bucket', 'key', { onBytes: () => ahead++ });
  await store.getToFile('bucket', 'key', path.join(tempFolder(), 'out'));
  expect(ahead).toBe(0);
  body.destroy();
});

test('a slow disk does not make an upload read its source ahead of the chunks in flight', async () => {
  const { root } = await newStore();
  const store = await ObjectStore.open(root, { concurrency: 2 });
  const pulled = { now: 0, most: 0 };
  let written = 0;
  async function* source(): AsyncGenerator<Buffer> {
    for (let chunk = 0; chunk < 20; chunk++) {
      pulled.now++;
      pulled.most = Math.max(pulled.most, pulled.now - written);
      yield await Promise.resolve(seededBytes(MIB, chunk));
    }
  }
  await store.put('bucket', 'key', Readable.from(source(), { highWaterMark: 1 }), { onBytes: () => written++ });
  expect(written).toBe(20);
  expect(pulled.most).toBeLessThanOrEqual(2 + 3);
});

const canMeasure = fs.existsSync('/proc/self/clear_refs');
if (!canMeasure)
  console.warn('this system cannot reset the peak of the resident memory: the tests that measure it are skipped');

/** By how many MiB the resident memory rises above its beginning, at its peak, while `work` runs. */
async function rise(work: () => Promise<unknown>): Promise<number> {
  const status = (field: 'VmHWM' | 'VmRSS'): number =>
    Number(new RegExp(`${field}:\\s*(\\d+) kB`).exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
  // What earlier tests left behind would otherwise be freed meanwhile, and hide what is added. Buffers are freed by a
  // thread that goes on after a collection and is waited for by the next one.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let before = Infinity, now = status('VmRSS'); now < before - 1;) {
    before = now;
    collect();
    collect();
    now = status('VmRSS');
  }
  fs.writeFileSync('/proc/self/clear_refs', '5');
  const before = status('VmHWM');
  await work();
  return status('VmHWM') - before;
}

test.skipIf(!canMeasure)('the measure of memory sees an allocation that is gone again', async () => {
  expect(await rise(() => Promise.resolve(Buffer.alloc(200 * MIB, 1).length))).toBeGreaterThan(150);
});

test.skipIf(!canMeasure)('a chunk file that has grown huge is refused without being read whole', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(2 * MIB, 'huge'));
  fs.truncateSync(chunkPath(store, meta, 1), 700 * MIB);
  const file = path.join(tempFolder(), 'out');
  const risen = await rise(async () => {
    for (const work of [() => read(store, 'key'), () => store.getToFile('bucket', 'key', file)]) {
      expect(await failure(work())).toMatchObject({ code: 'CHUNK_DAMAGED', chunk: 1 });
    }
  });
  expect(risen).toBeLessThan(150);
});

test.skipIf(!canMeasure)('a copy of a meta that has grown huge does not make memory grow with it', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('x'));
  fs.truncateSync(metaCopies(store, 'key')[0]?.file ?? '', 700 * MIB);
  const risen = await rise(async () => {
    expect((await read(store, 'key')).toString()).toBe('x');
  });
  expect(risen).toBeLessThan(150);
});

test.skipIf(!canMeasure)(
  'reading and writing an object of 64 MiB takes no more memory than the chunks in flight',
  async () => {
    const { root } = await newStore();
    const store = await ObjectStore.open(root, { concurrency: 4 });
    const chunk = seededBytes(MIB, 'flat');
    function* source(): Generator<Buffer> {
      for (let index = 0; index < 64; index++) yield chunk;
    }
    const file = path.join(tempFolder(), 'out');
    await store.put('bucket', 'warm-up', Readable.from(source()));
    const risen = await rise(async () => {
      await store.put('bucket', 'key', Readable.from(source()));
      await store.getToFile('bucket', 'key', file);
    });
    expect(fs.statSync(file).size).toBe(64 * MIB);
    expect(risen).toBeLessThan(40);
  },
);
