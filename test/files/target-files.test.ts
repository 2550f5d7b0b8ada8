import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { TargetFiles, type NewTarget } from '../../src/files/target-files.ts';
import { tree } from '../support/store.ts';
import { tempFolder } from '../support/temp.ts';

/** Files in folders that are not there, and one that is. */
function targetsIn(folder: string): NewTarget[] {
  fs.writeFileSync(path.join(folder, 'old'), 'what was there');
  return ['a/one', 'a/b/two', 'c/three', 'old'].map((name) => {
    return { path: path.join(folder, name), bytes: Buffer.from(`new ${name}`) };
  });
}

/** A sync of the folder's file system that does something when it is made for the nth time. */
function syncs(strike: (nth: number) => void) {
  let count = 0;
  return (folder: string) =>
    Promise.resolve({
      device: fs.statSync(folder).dev,
      sync: async () => {
        strike(++count);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    });
}

test.each([
  ['with a sync for all', undefined],
  ['each by itself where there is none', () => Promise.resolve(undefined)],
  [
    'each by itself where it is of another file system',
    async (folder: string) => ({ ...(await syncs(() => undefined)(folder)), device: -1 }),
  ],
])('files are there, whole, %s', async (_, openSync) => {
  const folder = tempFolder();
  const targets = targetsIn(folder);
  expect(await new TargetFiles(openSync).write(targets)).toEqual([true, true, true, true]);
  for (const { path: file, bytes } of targets) expect(fs.readFileSync(file)).toEqual(bytes);
  expect(fs.readdirSync(folder, { recursive: true })).toHaveLength(7);
});

test('nothing is under its name when the first sync is made, and everything when the second is', async () => {
  const folder = tempFolder();
  const targets = targetsIn(folder);
  const seen: string[][] = [];
  const look = (): void =>
    void seen.push(targets.map(({ path: file }) => (fs.existsSync(file) ? String(fs.readFileSync(file)) : 'none')));
  await new TargetFiles(syncs(look)).write(targets);
  expect(seen).toEqual([
    ['none', 'none', 'none', 'what was there'],
    ['new a/one', 'new a/b/two', 'new c/three', 'new old'],
  ]);
});

test('a sync that fails before the names are given leaves what was there, and nothing else', async () => {
  const folder = tempFolder();
  const targets = targetsIn(folder);
  const before = tree(folder);
  const fail = (): void => {
    throw new Error('EIO: a planned failure');
  };
  expect(await new TargetFiles(syncs(fail)).write(targets)).toEqual([false, false, false, false]);
  expect(tree(folder)).toEqual(before);
});

test('a sync that fails after them vouches for none, and leaves no part', async () => {
  const folder = tempFolder();
  const targets = targetsIn(folder);
  const fail = (nth: number): void => {
    if (nth === 2) throw new Error('EIO: a planned failure');
  };
  expect(await new TargetFiles(syncs(fail)).write(targets)).toEqual([false, false, false, false]);
  for (const { path: file, bytes } of targets) expect(fs.readFileSync(file)).toEqual(bytes);
  expect(fs.readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.part'))).toEqual([]);
});

test('folders are removed again only where nothing is in them', async () => {
  const folder = tempFolder();
  const blocked = { path: path.join(folder, 'made/deep', 'n'.repeat(256)), bytes: Buffer.from('x') };
  const beside = { path: path.join(folder, 'made/beside'), bytes: Buffer.from('beside') };
  const files = new TargetFiles();
  expect(await files.write([blocked])).toEqual([false]);
  expect(fs.readdirSync(folder)).toEqual([]);
  expect(await files.write([blocked, beside])).toEqual([false, true]);
  expect(fs.readdirSync(folder, { recursive: true }).sort()).toEqual(['made', 'made/beside']);
  fs.mkdirSync(path.join(folder, 'theirs'));
  expect(await files.write([{ ...blocked, path: path.join(folder, 'theirs', 'n'.repeat(256)) }])).toEqual([false]);
  expect(fs.existsSync(path.join(folder, 'theirs'))).toBe(true);
});

test('one that is aborted leaves nothing, and the others are there', async () => {
  const folder = tempFolder();
  const targets = targetsIn(folder).map((target, index) =>
    index === 0 ? { ...target, signal: AbortSignal.abort() } : target,
  );
  expect(await new TargetFiles().write(targets)).toEqual([false, true, true, true]);
  expect(fs.readdirSync(path.join(folder, 'a'))).toEqual(['b']);
});
