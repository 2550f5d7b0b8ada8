import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../../src/index.ts';
import { expectWhole } from '../../support/shards.ts';
import { failure, newStore, read } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

test.each(['before its mark', 'before it had all metas'])(
  'a disk whose adding died %s is added by the same command',
  async (when) => {
    const store = await newStore(3, { redundancy: '1+1' });
    await store.put('bucket', 'key', Buffer.from('x'));
    const place = path.join(tempFolder(), 'new');
    if (when === 'before its mark') {
      fs.mkdirSync(path.join(place, 'buckets'), { recursive: true });
      fs.symlinkSync(place, path.join(store.root, 'disk4'));
    } else {
      await store.addDisk('disk4', place);
      const file = path.join(store.root, 'store.json');
      const document = JSON.parse(fs.readFileSync(file, 'utf8')) as { disks: { name: string; role?: string }[] };
      for (const disk of document.disks) if (disk.name === 'disk4') disk.role = 'joining';
      fs.writeFileSync(file, JSON.stringify(document));
    }
    const again = await ObjectStore.open(store.root);
    await again.addDisk('disk4', place);
    expect(again.document.disks.map(({ name, role }) => [name, role])).toEqual(
      ['disk1', 'disk2', 'disk3', 'disk4'].map((name) => [name, undefined]),
    );
    await expectWhole(again);
    expect((await failure(again.addDisk('disk4', place))).code).toBe('DISK_EXISTS');
  },
);

const OBSTACLES: Record<string, (place: string) => void> = {
  'a folder without its mark': (place) => {
    fs.rmSync(path.join(place, 'disk.json'));
  },
  'a folder with a broken mark': (place) => {
    fs.writeFileSync(path.join(place, 'disk.json'), '{');
  },
  'a file': (place) => {
    fs.rmSync(place, { recursive: true });
    fs.writeFileSync(place, 'mine');
  },
  'a FIFO': (place) => {
    fs.rmSync(place, { recursive: true });
    execFileSync('mkfifo', [place]);
  },
  'a looping link': (place) => {
    fs.rmSync(place, { recursive: true });
    fs.symlinkSync(place, place);
  },
};

test.each(Object.keys(OBSTACLES))(
  'a disk at whose place %s stands is replaced by one elsewhere, and what stood there is kept',
  async (what) => {
    const store = await newStore(4, { redundancy: '2+1' });
    await store.put('bucket', 'key', Buffer.from('bytes'));
    OBSTACLES[what]?.(path.join(store.root, 'disk2'));
    const place = path.join(tempFolder(), 'new');
    fs.mkdirSync(place);
    let old: string | undefined;
    await (
      await ObjectStore.open(store.root)
    ).replaceDisk('disk2', place, {
      onOldFolder: (folder) => {
        old = folder;
      },
    });
    expect(fs.readlinkSync(path.join(store.root, 'disk2'))).toBe(place);
    if (what !== 'a looping link') expect(old).toBe(path.join(store.root, '.disk2.replaced'));
    const again = await ObjectStore.open(store.root);
    await again.heal();
    await expectWhole(again);
    expect((await read(again, 'key')).toString()).toBe('bytes');
  },
);

test('another disk that stands at the place of one is never moved away', async () => {
  const store = await newStore(4, { redundancy: '2+1' });
  fs.rmSync(path.join(store.root, 'disk2'), { recursive: true });
  fs.renameSync(path.join(store.root, 'disk3'), path.join(store.root, 'disk2'));
  const place = path.join(tempFolder(), 'new');
  fs.mkdirSync(place);
  expect(
    (await failure((await ObjectStore.open(store.root)).replaceDisk('disk2', place, { allowStale: true }))).code,
  ).toBe('BAD_ROOT');
  expect(fs.existsSync(path.join(store.root, 'disk2/disk.json'))).toBe(true);
});
