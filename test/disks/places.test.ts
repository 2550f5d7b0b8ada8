import { randomUUID } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { drivers, placeAt } from '../../src/disks/drivers.ts';
import { describePlaces } from '../contract/place-contract.ts';
import { memoryDriver } from '../support/memory-place.ts';
import { tempFolder } from '../support/temp.ts';

drivers.unshift(memoryDriver);

describePlaces('a folder', () => join(tempFolder(), 'above', 'disk'));
describePlaces('memory', () => `memory:${randomUUID()}`);

test('what a text means is a folder where no other driver knows it, seen from the folder that is given', () => {
  expect(placeAt('disk1', '/store')).toMatchObject({ where: '/store/disk1', isFolder: true });
  expect(placeAt('/mnt/disk/../other', '/store')).toMatchObject({ where: '/mnt/other', isFolder: true });
  expect(placeAt('memory:disk1', '/store')).toMatchObject({ where: 'memory:disk1', isFolder: false });
});

test('a folder has its real name behind all links, also where it is still to be made', async () => {
  const root = tempFolder();
  mkdirSync(join(root, 'real'));
  symlinkSync(join(root, 'real'), join(root, 'link'));
  expect(await placeAt('link/new/disk', root).realName()).toBe(join(root, 'real/new/disk'));
  expect(await placeAt('link', root).realName()).toBe(join(root, 'real'));
});

test('a file is no free place, and none that is missing', async () => {
  const root = tempFolder();
  writeFileSync(join(root, 'file'), '');
  const place = placeAt('file', root);
  expect(await place.isMissing()).toBe(false);
  await expect(place.checkFree('disk1', [])).rejects.toMatchObject({
    code: 'BAD_ROOT',
    message: expect.stringContaining('is not a folder') as string,
  });
  expect(await placeAt('file/below', root).isMissing()).toBe(true);
});
