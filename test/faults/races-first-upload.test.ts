import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { runDoor } from '../support/processes.ts';
import { tempFolder } from '../support/temp.ts';
import { findUntidy, readObject } from './crash-state.ts';
import { NOTHING_TO_DO } from '../support/gc.ts';
import { makeContent } from './races-content.ts';
import { Crew, raceSeed } from './races-crew.ts';

/** One store is there, with all objects and nothing else. */
async function expectOneStore(root: string, objects: Record<string, Buffer>): Promise<void> {
  expect(readdirSync(root).sort()).toEqual(['.lock', '.lock.note', 'disk1', 'disk2', 'disk3', 'store.json']);
  const store = await ObjectStore.open(root);
  for (const { name } of store.document.disks) {
    expect(JSON.parse(readFileSync(path.join(root, name, 'disk.json'), 'utf8'))).toMatchObject({ name });
  }
  expect((await store.disks()).map(({ state }) => state.status)).toEqual(['online', 'online', 'online']);
  const keys: string[] = [];
  for await (const { key } of store.list('my-bucket')) keys.push(key);
  expect(keys).toEqual(Object.keys(objects).sort());
  for (const [key, bytes] of Object.entries(objects))
    expect((await readObject(root, 'my-bucket', key))?.equals(bytes)).toBe(true);
  expect(findUntidy(root)).toEqual([]);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
}

test.each([2, 8])('%i first uploads at once, of the command line, make one store that holds all', async (count) => {
  const seed = raceSeed();
  const folder = tempFolder();
  const objects: Record<string, Buffer> = {};
  for (let index = 0; index < count; index++) {
    const bytes = makeContent(seed + index);
    objects[`f${index}`] = bytes;
    writeFileSync(path.join(folder, `f${index}`), bytes);
  }
  const results = await Promise.all(
    Object.keys(objects).map((name) => runDoor('upload', ['my-bucket', name], { cwd: folder })),
  );
  for (const result of results) expect(result).toMatchObject({ code: 0, stderr: '' });
  await expectOneStore(path.join(folder, 'storage_nodes'), objects);
});

test('eight first uploads at the same instant, again and again, make one store each time', async () => {
  const seed = raceSeed();
  const folder = tempFolder();
  const crew = Crew.start(folder, 8);
  for (let round = 0; round < 6; round++) {
    // In a folder that is not there either, and in one that is.
    const root = path.join(folder, `round-${round}`, ...(round % 2 === 0 ? ['deep', 'store'] : []));
    const seeds = Array.from({ length: 8 }, (_, index) => seed + round * 100 + index * 2);
    const { done } = await crew.run(
      seeds.map((own) => ({ root, bucket: 'my-bucket', do: 'put', key: `k${own}`, seed: own, create: true })),
    );
    expect(done.map((answer) => answer.done)).toEqual(Array.from({ length: 8 }, () => 1));
    await expectOneStore(root, Object.fromEntries(seeds.map((own) => [`k${own}`, makeContent(own)])));
  }
});
