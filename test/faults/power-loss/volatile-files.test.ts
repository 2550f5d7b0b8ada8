import { expect, test } from 'vitest';
import { Random } from '../../torture/random.ts';
import { makeFate, type Lot } from './fates.ts';
import type { Step } from './steps.ts';
import { linesOf, type Tree } from './tree.ts';
import { VolatileFiles } from './volatile-files.ts';

type Deed<T = Step> = T extends Step ? Omit<T, 'at' | 'began' | 'label'> : never;

/** A store with two empty disks. */
const durable = (): Tree =>
  new Map([
    [
      'store',
      new Map([
        ['disk1', new Map()],
        ['disk2', new Map()],
      ]),
    ],
  ]);

/** The files that are there when the power goes after these deeds. */
function left(lot: Lot, deeds: readonly Deed[], seed = 1): string[] {
  const files = new VolatileFiles(durable(), 'store');
  for (const [index, deed] of deeds.entries())
    files.apply({ ...deed, at: 2 * index + 1, began: 2 * index, label: deed.do });
  const tree = files.build(makeFate({ lots: lot, otherwise: lot }, new Random(seed, 'test')));
  return linesOf(tree)
    .map((line) => line.split(' ').slice(0, 2).join(' ').trim())
    .filter((line) => !line.endsWith('/'));
}

function make(path: string, bytes = 3): Deed[] {
  return [
    { do: 'open', fd: '3', path, creates: true, truncates: true, appends: false },
    { do: 'write', fd: '3', path, bytes: Buffer.alloc(bytes, 1), position: 0 },
  ];
}
const sync = (path: string): Deed => ({ do: 'sync', path });

test('a name is durable after a sync of its folder, bytes after a sync of their file, and neither through the other', () => {
  const file = 'store/disk1/a';
  expect(left('kept', make(file))).toEqual([`${file} 3`]);
  expect(left('lost', make(file))).toEqual([]);
  expect(left('lost', [...make(file), sync(file)])).toEqual([]);
  expect(left('lost', [...make(file), sync('store/disk1')])).toEqual([`${file} 0`]);
  expect(left('names', make(file))).toEqual([`${file} 0`]);
  expect(left('zeros', make(file))).toEqual([`${file} 3`]);
  expect(left('lost', [...make(file), sync(file), sync('store/disk1')])).toEqual([`${file} 3`]);
});

test('a file that is durable in a folder that is not is lost with it', () => {
  const deeds: Deed[] = [
    { do: 'mkdir', path: 'store/disk1/f' },
    ...make('store/disk1/f/a'),
    sync('store/disk1/f/a'),
    sync('store/disk1/f'),
  ];
  expect(left('lost', deeds)).toEqual([]);
  expect(left('lost', [...deeds, sync('store/disk1')])).toEqual(['store/disk1/f/a 3']);
});

test('a file that was unlinked is back as long as its folder has not been synced', () => {
  const deeds: Deed[] = [
    ...make('store/disk1/a'),
    sync('store/disk1/a'),
    sync('store/disk1'),
    { do: 'unlink', path: 'store/disk1/a' },
  ];
  expect(left('lost', deeds)).toEqual(['store/disk1/a 3']);
  expect(left('lost', [...deeds, sync('store/disk1')])).toEqual([]);
});

test('a file that was renamed is there under its old name or its new one, whichever part of it is kept', () => {
  const deeds: Deed[] = [
    { do: 'mkdir', path: 'store/disk1/from' },
    { do: 'mkdir', path: 'store/disk1/to' },
    sync('store/disk1'),
    ...make('store/disk1/from/a'),
    sync('store/disk1/from/a'),
    sync('store/disk1/from'),
    { do: 'rename', path: 'store/disk1/from/a', to: 'store/disk1/to/a' },
  ];
  expect(left('lost', [...deeds, sync('store/disk1/from')])).toEqual(['store/disk1/from/a 3']);
  expect(left('lost', [...deeds, sync('store/disk1/to')])).toContain('store/disk1/to/a 3');
  for (let seed = 0; seed < 50; seed++) expect(left('mixed', deeds, seed).length).toBeGreaterThanOrEqual(1);
});

test('a sync of a disk makes durable all that is on it, and nothing that is on another one', () => {
  const deeds: Deed[] = [
    ...make('store/disk1/a'),
    ...make('store/disk2/b'),
    { do: 'sync file system', path: 'store/disk1' },
  ];
  expect(left('lost', deeds)).toEqual(['store/disk1/a 3']);
});

test('a sync does nothing for what had not returned when it began', () => {
  const files = new VolatileFiles(durable(), 'store');
  for (const deed of make('store/disk1/a')) files.apply({ ...deed, at: 10, began: 9, label: '' });
  files.apply({ do: 'sync', path: 'store/disk1', at: 12, began: 8, label: '' });
  expect(files.volatileDevices()).toEqual(['disk1']);
});
