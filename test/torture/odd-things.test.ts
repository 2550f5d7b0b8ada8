import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { entriesBelow, filesIn, pathOf } from './files.ts';
import { ODD_FILES, OBSTACLES, OddThings, type Obstacle, type OddFile } from './odd-things.ts';
import { clearSetAside, findOdd } from './set-aside.ts';

let folder: string;
let things: OddThings;

beforeEach(async () => {
  folder = tempFolder();
  things = new OddThings(folder);
  await things.prepare();
});

/** What stands there, as the system says. */
function kindOf(place: string): string {
  const stats = fs.lstatSync(place);
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFile()) return stats.mode % 0o1000 === 0 ? 'a file without rights' : 'a file';
  const to = fs.readlinkSync(place);
  if (to === '/dev/zero') return 'a link to /dev/zero';
  try {
    return fs.statSync(place).isDirectory() ? 'a link to a folder elsewhere' : 'a link';
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ELOOP' ? 'a looping link' : 'a dangling link';
  }
}

test.each<OddFile>(ODD_FILES)('%s takes the place of a file, again and again', (odd) => {
  for (const name of ['one', 'two', 'three']) {
    const file = path.join(folder, name);
    fs.writeFileSync(file, 'a chunk');
    expect(things.replaceFile(file, odd)).toBe(true);
    expect(kindOf(file)).toBe(odd);
  }
  expect(things.replaceFile(path.join(folder, 'missing'), odd)).toBe(false);
});

test.each<Obstacle>(OBSTACLES)('%s takes the place of a folder, and what was in it is lost', (obstacle) => {
  const place = path.join(folder, 'chunks');
  fs.mkdirSync(path.join(place, 'version'), { recursive: true });
  fs.writeFileSync(path.join(place, 'version/000000.chunk'), 'a chunk');
  expect(things.replaceFolder(place, obstacle)).toBe(true);
  expect(kindOf(place)).toBe(obstacle);
  expect(filesIn(path.join(folder, 'odd')).filter((name) => name.endsWith('.chunk'))).toEqual([]);
  expect(things.replaceFolder(path.join(folder, 'missing'), obstacle)).toBe(false);
});

test('what a link leads to is no part of a disk', () => {
  fs.mkdirSync(path.join(folder, 'disk/chunks'), { recursive: true });
  expect(things.replaceFolder(path.join(folder, 'disk/chunks'), 'a link to a folder elsewhere')).toBe(true);
  expect(entriesBelow(path.join(folder, 'disk')).map(pathOf)).toEqual([path.join(folder, 'disk/chunks')]);
  expect(findOdd(path.join(folder, 'disk'))).toEqual([path.join(folder, 'disk/chunks')]);
  expect(things.elsewhere()).toEqual(['precious']);
});

test('what was set aside goes, with the folders that only it has kept, and nothing else', () => {
  const disk = path.join(folder, 'disk');
  for (const kept of ['buckets/first/deep', 'buckets/second', 'chunks/v', 'chunks/w', 'tmp'])
    fs.mkdirSync(path.join(disk, kept), { recursive: true });
  const aside = [
    '.chunks.corrupt',
    'buckets/first/deep/.er.corrupt',
    'buckets/second/.a.meta.json.2.corrupt',
    'chunks/v/.000000.chunk.corrupt',
  ];
  for (const name of aside) fs.writeFileSync(path.join(disk, name), 'odd');
  fs.writeFileSync(path.join(disk, 'chunks/w/000000.chunk.corrupt'), 'heal is at it');
  expect(clearSetAside(disk).sort()).toEqual(aside.map((name) => path.join(disk, name)).sort());
  expect(fs.readdirSync(disk, { recursive: true, encoding: 'utf8' }).sort()).toEqual([
    'buckets',
    'buckets/first',
    'buckets/second',
    'chunks',
    'chunks/w',
    'chunks/w/000000.chunk.corrupt',
    'tmp',
  ]);
});
