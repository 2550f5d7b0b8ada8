import { mkdirSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempFolder } from '../../support/temp.ts';
import { makeDisk } from '../make-disks.ts';

it('changes nothing through a link that has just taken the place of a folder', async () => {
  const { disk, root } = makeDisk();
  const elsewhere = join(tempFolder(), 'elsewhere');
  mkdirSync(elsewhere);
  await disk.makeFolder('chunks/version');
  await disk.create('chunks/version/first', Buffer.from('x'), { durable: false });
  renameSync(join(root, 'chunks/version'), join(root, 'chunks/away'));
  symlinkSync(elsewhere, join(root, 'chunks/version'));
  const changes = [
    () => disk.create('chunks/version/second', Buffer.from('x'), { durable: false }),
    () => disk.rename('chunks/version/first', 'chunks/version/other', { durable: false }),
    () => disk.remove('chunks/version/first', { within: 'chunks/version', durable: false }),
    () => disk.makeFolder('chunks/version/folder'),
  ];
  for (const change of changes)
    await expect(change()).rejects.toMatchObject({ code: 'DISK_IO', details: { errno: 'ENOTDIR' } });
  expect(readdirSync(elsewhere)).toEqual([]);
});
