import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DISK_MARK, formatDiskMark } from '../../../src/disks/identity.ts';
import { LocalDisk } from '../../../src/disks/local/local-disk.ts';
import { tempFolder } from '../../support/temp.ts';
import { asNobody } from '../as-nobody.ts';
import { identityOf, makeDisk } from '../make-disks.ts';

describe('the state of a LocalDisk', () => {
  it.each([
    [
      'missing',
      'its folder is gone',
      (root: string) => {
        rmSync(root, { recursive: true });
      },
    ],
    [
      'missing',
      'it is a link that leads nowhere',
      (root: string) => {
        rmSync(root, { recursive: true });
        symlinkSync(`${root}-nowhere`, root);
      },
    ],
    [
      'unmarked',
      'its mark is gone',
      (root: string) => {
        rmSync(join(root, DISK_MARK));
      },
    ],
    [
      'empty',
      'an empty folder has taken its place, as an unmounted mount point does',
      (root: string) => {
        rmSync(root, { recursive: true });
        mkdirSync(root);
      },
    ],
    [
      'swapped',
      'the folder of another disk of the store has taken its place',
      (root: string) => {
        writeFileSync(join(root, DISK_MARK), formatDiskMark(identityOf(2)));
      },
    ],
    [
      'empty',
      'there is nothing in it but what file systems make',
      (root: string) => {
        rmSync(root, { recursive: true });
        mkdirSync(join(root, 'lost+found'), { recursive: true });
      },
    ],
    [
      'former',
      'a disk of its name but with another id has taken its place',
      (root: string) => {
        writeFileSync(join(root, DISK_MARK), formatDiskMark({ ...identityOf(1), id: identityOf(2).id }));
      },
    ],
    [
      'foreign',
      'a disk of another store has taken its place',
      (root: string) => {
        const mark = { ...identityOf(1), storeId: '33333333-3333-4333-8333-333333333333' };
        writeFileSync(join(root, DISK_MARK), formatDiskMark(mark));
      },
    ],
    [
      'unreadable',
      'its mark is cut short',
      (root: string) => {
        writeFileSync(join(root, DISK_MARK), '{ "format": 1,');
      },
    ],
    [
      'unreadable',
      'its mark is empty',
      (root: string) => {
        writeFileSync(join(root, DISK_MARK), '');
      },
    ],
    [
      'unreadable',
      'its mark is of a later format',
      (root: string) => {
        writeFileSync(join(root, DISK_MARK), formatDiskMark(identityOf(1)).replace('"format": 1', '"format": 2'));
      },
    ],
    [
      'unreadable',
      'its mark is a folder',
      (root: string) => {
        rmSync(join(root, DISK_MARK));
        mkdirSync(join(root, DISK_MARK));
      },
    ],
    [
      'unreadable',
      'its mark may not be read',
      (root: string) => {
        chmodSync(join(root, DISK_MARK), 0);
      },
    ],
  ] as const)('is %s when %s, also where it was online before', async (status, _, harm) => {
    const { disk, root } = makeDisk();
    chmodSync(dirname(root), 0o755);
    expect(await disk.state()).toEqual({ status: 'online', reason: 'online' });
    harm(root);
    const state = await asNobody(() => disk.state());
    expect(state.status).toBe(status);
    expect(state.reason).not.toBe('');
    expect(await asNobody(() => new LocalDisk(root, identityOf(1)).state())).toEqual(state);
  });

  it('is not online when a file stands where its folder should be', async () => {
    const { disk, root } = makeDisk();
    rmSync(root, { recursive: true });
    writeFileSync(root, 'a file');
    expect(['missing', 'unreadable']).toContain((await disk.state()).status);
  });

  it('gives its reason without the name of the disk, because whoever shows it names the disk', async () => {
    const { disk, root } = makeDisk();
    rmSync(join(root, DISK_MARK));
    mkdirSync(join(root, DISK_MARK));
    expect((await disk.state()).reason).not.toMatch(/disk "disk1"/);
  });

  it('is online again when what was away comes back', async () => {
    const { disk, root } = makeDisk();
    renameSync(root, `${root}-away`);
    expect((await disk.state()).status).toBe('missing');
    renameSync(`${root}-away`, root);
    expect((await disk.state()).status).toBe('online');
  });

  it('is online through a link', async () => {
    const { root } = makeDisk();
    const link = join(tempFolder(), 'link');
    symlinkSync(root, link);
    expect((await new LocalDisk(link, identityOf(1)).state()).status).toBe('online');
  });
});

describe('a LocalDisk that may not be written to', () => {
  it('says DISK_READ_ONLY, names disk and path, and keeps the cause', async () => {
    const { disk, root } = makeDisk();
    chmodSync(dirname(root), 0o755);
    for (const folder of ['', 'buckets', 'chunks', 'tmp']) chmodSync(join(root, folder), 0o555);
    const failure = {
      name: 'StoreError',
      code: 'DISK_READ_ONLY',
      details: { disk: 'disk1', errno: 'EACCES' },
      cause: { code: 'EACCES' },
    };
    await asNobody(async () => {
      await expect(disk.create('chunks/file', Buffer.from('x'), { durable: true })).rejects.toMatchObject(failure);
      await expect(disk.makeFolder('chunks/folder')).rejects.toMatchObject(failure);
      const stage = disk.stage('buckets/file', Buffer.from('x'), { id: 'id', within: 'buckets', durable: true });
      await expect(stage).rejects.toMatchObject(failure);
      expect((await disk.state()).status).toBe('online');
    });
  });
});
