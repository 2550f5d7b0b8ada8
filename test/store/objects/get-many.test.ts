import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { GetItem, GetOutcome, ObjectStore } from '../../../src/index.ts';
import { KernelLocks } from '../../../src/locks/kernel-locks.ts';
import { lockName } from '../../../src/locks/locks.ts';
import { deleteObject } from '../../../src/store/objects/delete.ts';
import { getManyToFiles } from '../../../src/store/objects/get-many.ts';
import { holdVersions } from '../../../src/store/protocol/hold-many.ts';
import type { StoreContext } from '../../../src/store/protocol/context.ts';
import { contextOf } from '../../support/context.ts';
import { DISK_KINDS, storeOn } from '../../support/disk-kinds.ts';
import { FaultyDisk } from '../../support/faulty-disk.ts';
import { chunkPath, failure, filesIn, metaCopies, MIB, newStore, takeAway, tree } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

/** Puts so many small objects, every fifth of no bytes, and gives their bytes by their keys. */
async function fill(store: ObjectStore, count = 30): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>();
  for (let index = 0; index < count; index++)
    contents.set(`folder${index % 3}/key ${index}`, randomBytes(index % 5 === 0 ? 0 : 1 + index));
  const items = [...contents].map(([key, source]) => ({ bucket: 'bucket', key, source }));
  for await (const outcome of store.putMany(items)) expect(outcome).not.toHaveProperty('error');
  return contents;
}

function itemsOf(contents: ReadonlyMap<string, unknown>, folder: string, options: Partial<GetItem> = {}): GetItem[] {
  return [...contents.keys()].map((key) => ({ bucket: 'bucket', key, file: path.join(folder, key), ...options }));
}

/** The outcomes by their keys: the code of an error, or `done`. */
async function outcomesOf(outcomes: AsyncIterable<GetOutcome<GetItem>>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const outcome of outcomes) found[outcome.item.key] = 'error' in outcome ? outcome.error.code : 'done';
  return found;
}

/** Whether the files of a folder are the objects, whole, and nothing else. */
function expectFiles(folder: string, contents: ReadonlyMap<string, Buffer>): void {
  expect(filesIn(folder)).toEqual([...contents.keys()].sort());
  for (const [key, bytes] of contents) expect(fs.readFileSync(path.join(folder, key)).equals(bytes), key).toBe(true);
}

function without(contents: ReadonlyMap<string, Buffer>, ...keys: string[]): Map<string, Buffer> {
  return new Map([...contents].filter(([key]) => !keys.includes(key)));
}

describe.each(DISK_KINDS)('objects that are read into files together, on $kind', (kind) => {
  test.each(['1+0', '1+1'])('are there, whole, with %s', async (redundancy) => {
    const store = await storeOn(kind, 3, { redundancy });
    const contents = await fill(store);
    contents.set('large', randomBytes(2 * MIB + 1));
    await store.put('bucket', 'large', contents.get('large') ?? '');
    const folder = tempFolder();
    let bytes = 0;
    const onBytes = (count: number): void => void (bytes += count);
    const found = await outcomesOf(store.getManyToFiles(itemsOf(contents, folder, { onBytes })));
    expect(new Set(Object.values(found))).toEqual(new Set(['done']));
    expectFiles(folder, contents);
    expect(bytes).toBe([...contents.values()].reduce((sum, { length }) => sum + length, 0));
  });
});

describe('objects that are read into files together', () => {
  test('give the meta, and replace what was there, and a link itself', async () => {
    const store = await newStore();
    const contents = await fill(store, 10);
    const folder = tempFolder();
    const beside = path.join(tempFolder(), 'beside');
    fs.writeFileSync(beside, 'precious');
    fs.mkdirSync(path.join(folder, 'folder1'));
    fs.writeFileSync(path.join(folder, 'folder1/key 1'), 'something longer than the object that comes in its place');
    fs.symlinkSync(beside, path.join(folder, 'folder1/key 4'));
    for await (const outcome of store.getManyToFiles(itemsOf(contents, folder)))
      expect(outcome).toMatchObject({ meta: await store.head('bucket', outcome.item.key) });
    expectFiles(folder, contents);
    expect(fs.readFileSync(beside, 'utf8')).toBe('precious');
  });

  test('follow a link that leads to their folder, as one object does', async () => {
    const store = await newStore();
    const contents = await fill(store, 10);
    const [folder, behind] = [tempFolder(), tempFolder()];
    fs.symlinkSync(behind, path.join(folder, 'link'));
    await outcomesOf(store.getManyToFiles(itemsOf(contents, path.join(folder, 'link'))));
    expectFiles(behind, contents);
  });

  test('of two for one file, the one that comes last stays', async () => {
    const store = await newStore();
    const contents = await fill(store);
    const file = path.join(tempFolder(), 'out');
    const items = itemsOf(contents, '').map((item) => ({ ...item, file }));
    await outcomesOf(store.getManyToFiles(items));
    expect(fs.readFileSync(file).equals([...contents.values()].at(-1) ?? Buffer.alloc(0))).toBe(true);
    expect(fs.readdirSync(path.dirname(file))).toEqual(['out']);
  });

  test.each(['1+0', '1+1'])(
    'a chunk that is damaged, cut or gone concerns its object alone (%s)',
    async (redundancy) => {
      const store = await newStore(3, { redundancy });
      const contents = await fill(store);
      const hurt = ['folder1/key 1', 'folder2/key 2', 'folder0/key 3'];
      const [flipped = '', cut = '', gone = ''] = await Promise.all(
        hurt.map(async (key) => chunkPath(store, await store.head('bucket', key), 0)),
      );
      fs.writeFileSync(flipped, randomBytes(fs.statSync(flipped).size));
      fs.truncateSync(cut, 1);
      fs.rmSync(gone);
      const folder = tempFolder();
      const rebuilt: string[] = [];
      const items = itemsOf(contents, folder).map((item) => ({
        ...item,
        onRebuilt: () => void rebuilt.push(item.key),
      }));
      const found = await outcomesOf(store.getManyToFiles(items));
      const codes = hurt.map((key) => found[key]);
      if (redundancy === '1+1') {
        expect(codes).toEqual(['done', 'done', 'done']);
        expect(rebuilt.sort()).toEqual([...hurt].sort());
        expectFiles(folder, contents);
      } else {
        expect(codes).toEqual(['CHUNK_DAMAGED', 'CHUNK_DAMAGED', 'CHUNK_UNAVAILABLE']);
        expectFiles(folder, without(contents, ...hurt));
      }
    },
  );

  test('one that is not there, and names that none can have, concern themselves alone', async () => {
    const store = await newStore();
    const contents = await fill(store, 10);
    const folder = tempFolder();
    const file = path.join(folder, 'deep/er/none');
    const wrong = [
      { bucket: 'bucket', key: 'none', file },
      { bucket: 'nobodys', key: 'no bucket', file },
      { bucket: '../bucket', key: 'bad bucket', file },
      { bucket: 'bucket', key: '', file },
    ];
    const found = await outcomesOf(store.getManyToFiles([...wrong, ...itemsOf(contents, folder)]));
    expect([found['none'], found['no bucket'], found['bad bucket'], found['']]).toEqual([
      'NO_SUCH_KEY',
      'NO_SUCH_BUCKET',
      'BAD_BUCKET_NAME',
      'BAD_KEY',
    ]);
    expectFiles(folder, contents);
    expect(fs.existsSync(path.join(folder, 'deep'))).toBe(false);
  });

  test.each([
    ['1+1', 'done'],
    ['1+0', 'CHUNK_UNAVAILABLE'],
  ])('with a disk away, those of %s that need it are %s', async (redundancy, word) => {
    const store = await newStore(3, { redundancy });
    const contents = await fill(store);
    const onDisk = new Set<string>();
    for (const key of contents.keys())
      if ((await store.head('bucket', key)).chunks[0]?.disk === 'disk2') onDisk.add(key);
    takeAway(store, 'disk2');
    const folder = tempFolder();
    const found = await outcomesOf(store.getManyToFiles(itemsOf(contents, folder)));
    for (const key of contents.keys()) expect(found[key], key).toBe(onDisk.has(key) ? word : 'done');
    expectFiles(folder, word === 'done' ? contents : without(contents, ...onDisk));
  });

  test('a disk that has an old copy is outvoted, and a damaged copy is made up for', async () => {
    const store = await newStore();
    const contents = await fill(store);
    const [old] = metaCopies(store, 'folder1/key 1');
    const newer = randomBytes(50);
    await store.put('bucket', 'folder1/key 1', newer);
    contents.set('folder1/key 1', newer);
    fs.writeFileSync(old?.file ?? '', old?.text ?? '');
    fs.writeFileSync(metaCopies(store, 'folder2/key 2')[1]?.file ?? '', 'damaged');
    fs.rmSync(metaCopies(store, 'folder0/key 3')[2]?.file ?? '');
    const folder = tempFolder();
    await outcomesOf(store.getManyToFiles(itemsOf(contents, folder)));
    expectFiles(folder, contents);
  });

  test('targets that can not be written say why, and leave nothing', async () => {
    const store = await newStore();
    const contents = await fill(store, 12);
    const folder = tempFolder();
    fs.mkdirSync(path.join(folder, 'folder1/key 1/full'), { recursive: true });
    fs.writeFileSync(path.join(folder, 'folder2'), 'a file where a folder should be');
    const before = tree(folder);
    const items = itemsOf(contents, folder);
    const messages: Record<string, string> = {};
    for await (const outcome of store.getManyToFiles(items))
      if ('error' in outcome) messages[outcome.item.key] = `${outcome.error.code} ${outcome.error.message}`;
    const hurt = [...contents.keys()].filter((key) => key === 'folder1/key 1' || key.startsWith('folder2'));
    expect(Object.keys(messages).sort()).toEqual([...hurt].sort());
    for (const { key, file } of items) {
      if (!hurt.includes(key)) continue;
      const single = await failure(store.getToFile('bucket', key, file));
      expect(messages[key]).toBe(`${single.code} ${single.message}`);
    }
    for (const key of contents.keys()) if (!hurt.includes(key)) fs.rmSync(path.join(folder, key));
    fs.rmdirSync(path.join(folder, 'folder0'));
    expect(tree(folder)).toEqual(before);
  });

  test('an interruption leaves neither parts nor folders', async () => {
    const store = await newStore();
    const contents = await fill(store);
    const stop = new AbortController();
    const context = await contextOf(
      store,
      (disk) =>
        new (class extends FaultyDisk {
          override async readMany(paths: readonly string[]) {
            const outcomes = await super.readMany(paths);
            if (paths.some((name) => name.endsWith('.chunk'))) stop.abort();
            return outcomes;
          }
        })(disk, []),
    );
    const folder = tempFolder();
    const items = itemsOf(contents, path.join(folder, 'new/folder'), { signal: stop.signal });
    expect(new Set(Object.values(await outcomesOf(getManyToFiles(context, items))))).toEqual(new Set(['ABORTED']));
    expect(tree(folder)).toEqual([]);
  });

  test('a consumer that stops leaves whole files and nothing else', async () => {
    const store = await newStore();
    const contents = await fill(store, 60);
    const folder = tempFolder();
    for await (const outcome of store.getManyToFiles(itemsOf(contents, folder))) {
      expect(outcome).not.toHaveProperty('error');
      break;
    }
    for (const file of filesIn(folder))
      expect(contents.get(file)?.equals(fs.readFileSync(path.join(folder, file))), file).toBe(true);
  });
});

describe('versions that are held together', () => {
  const KEYS = ['a', 'b', 'c', 'd'];
  const addresses = KEYS.map((key) => ({ bucket: 'bucket', key }));

  async function holdAll(context: StoreContext) {
    const session = await context.locks.open('read');
    const { versions } = await holdVersions(context, addresses, { session, view: await context.lookForReading() });
    return { metas: versions.map((version) => version?.meta), release: () => session.close() };
  }

  async function withKeys(): Promise<ObjectStore> {
    const store = await newStore();
    for (const key of KEYS) await store.put('bucket', key, Buffer.from(key));
    return store;
  }

  test('are held until they are released: a delete meanwhile leaves their chunks', async () => {
    const store = await withKeys();
    const { metas, release } = await holdAll(await contextOf(store));
    expect(metas.map((meta) => meta?.key)).toEqual(KEYS);
    const files = metas.map((meta) => (meta === undefined ? '' : chunkPath(store, meta, 0)));
    await store.delete('bucket', 'a');
    await store.gc();
    for (const file of files) expect(fs.existsSync(file)).toBe(true);
    await release();
    expect((await store.gc()).leftoverChunks).toBe(1);
  });

  test('leave out those whose chunks somebody is removing, and wait for nobody', async () => {
    const store = await withKeys();
    const locks = new KernelLocks(path.join(store.root, '.lock'));
    const session = await locks.open('write');
    const id = (await store.head('bucket', 'b')).chunks[0]?.file.split('/')[2]?.split('.')[0] ?? '';
    await session.lock(lockName.upload(id), 'exclusive');
    const { metas, release } = await holdAll(await contextOf(store));
    expect(metas.map((meta) => meta?.key)).toEqual(['a', undefined, 'c', 'd']);
    await release();
    await session.close();
  });

  test.each(['replaced', 'deleted'])('leave out one that is %s between the first look and the locks', async (how) => {
    const store = await withKeys();
    let isFirst = true;
    const change = async (): Promise<void> => {
      if (how === 'replaced') await store.put('bucket', 'c', Buffer.from('newer'));
      else await deleteObject(await contextOf(store), 'bucket', 'c', {});
    };
    const context = await contextOf(
      store,
      (disk) =>
        new (class extends FaultyDisk {
          override async readMany(paths: readonly string[]) {
            const outcomes = await super.readMany(paths);
            // When the last disk has been looked at, and before its answer is known.
            if (disk.name === 'disk3' && isFirst) {
              isFirst = false;
              await change();
            }
            return outcomes;
          }
        })(disk, []),
    );
    const { metas, release } = await holdAll(context);
    // Held or not: what is given has all its chunks.
    for (const meta of metas) if (meta !== undefined) expect(fs.existsSync(chunkPath(store, meta, 0))).toBe(true);
    expect(metas[2]).toBeUndefined();
    expect(metas.filter((meta) => meta !== undefined)).toHaveLength(3);
    await release();
  });
});
