import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DISK_MARK } from '../../../src/disks/identity.ts';
import { alignedBuffers } from '../../../src/memory/aligned.ts';
import { NO_FOLDERS, SPECIALS } from '../../support/special-files.ts';
import { asNobody } from '../as-nobody.ts';
import { makeDisk } from '../make-disks.ts';

const STAGE = { id: 'id', within: 'buckets', durable: true };
const failed = { code: 'DISK_IO', details: { disk: 'disk1' }, cause: { code: expect.any(String) as string } };

describe.each(SPECIALS)('$what in the place of a file', ({ what, make, problem }) => {
  it('is an error at once for who reads it, however it is read, and never bytes or "missing"', async ({ skip }) => {
    skip(problem !== undefined, problem);
    const { disk, root } = makeDisk();
    await make(join(root, 'chunks/place'));
    const [aligned] = alignedBuffers(1, 8192);
    for (const options of [
      {},
      { limit: 10 },
      { buffer: Buffer.alloc(11), limit: 10 },
      { buffer: aligned, limit: 8191, direct: true },
      { buffer: aligned, limit: 100_000, direct: true },
    ]) {
      await expect(disk.read('chunks/place', options)).rejects.toMatchObject(failed);
    }
    expect(await disk.stat('chunks/place')).toMatchObject({ isFile: false });
  });

  it('is not written over by what creates, and makes way for what is published, unless it is a folder', async ({
    skip,
  }) => {
    skip(problem !== undefined, problem);
    const { disk, root } = makeDisk();
    await make(join(root, 'buckets/place'));
    await expect(disk.create('buckets/place', Buffer.from('x'), { durable: true })).rejects.toMatchObject(failed);
    const staged = await disk.stage('buckets/place', Buffer.from('x'), STAGE);
    if (what === 'a folder') await expect(staged.publish()).rejects.toMatchObject(failed);
    else
      await staged.publish().then(async () => {
        expect(String(await disk.read('buckets/place'))).toBe('x');
      });
  });

  it('where something is staged is not written through', async ({ skip }) => {
    skip(problem !== undefined, problem);
    const { disk, root } = makeDisk();
    await make(join(root, 'tmp/id'));
    await expect(disk.stage('buckets/place', Buffer.from('x'), STAGE)).rejects.toMatchObject({ code: 'DISK_IO' });
  });

  it('makes a disk unreadable, with a reason, where it stands in the place of its mark', async ({ skip }) => {
    skip(problem !== undefined, problem);
    const { disk, root } = makeDisk();
    expect((await disk.state()).status).toBe('online');
    fs.rmSync(join(root, DISK_MARK));
    await make(join(root, DISK_MARK));
    const state = await disk.state();
    expect(state.status).toBe('unreadable');
    expect(state.reason).toMatch(/^E[A-Z]+: /);
  });

  it('makes way by another name, and stays what it is', async ({ skip }) => {
    skip(problem !== undefined, problem);
    const { disk, root } = makeDisk();
    const place = join(root, 'chunks/place');
    await make(place);
    const { ino } = fs.lstatSync(place);
    expect(await disk.setAside('chunks/place')).toBe('chunks/.place.corrupt');
    expect(fs.lstatSync(join(root, 'chunks/.place.corrupt')).ino).toBe(ino);
    expect(await disk.stat('chunks/place')).toBeUndefined();
  });
});

describe.each(NO_FOLDERS)('$what in the place of a folder', ({ make }) => {
  it.each(['chunks', 'buckets', 'tmp', 'buckets/b', 'buckets/b/k'])(
    '%s fails whatever works in it, and nothing goes through it',
    async (folder) => {
      const { disk, root } = makeDisk();
      if (folder.includes('/b')) fs.mkdirSync(join(root, 'buckets/b'));
      const place = join(root, folder);
      fs.rmSync(place, { recursive: true, force: true });
      await make(place);
      const elsewhere = `${place}-elsewhere`;
      if (fs.existsSync(elsewhere)) fs.writeFileSync(join(elsewhere, 'file'), 'theirs');
      const notThrough = { code: 'DISK_IO', details: { disk: 'disk1', errno: 'ENOTDIR' } };
      await expect(disk.list(folder)).rejects.toMatchObject(notThrough);
      await expect(disk.read(`${folder}/file`)).rejects.toMatchObject(notThrough);
      await expect(disk.read(`${folder}/deeper/file`)).rejects.toMatchObject(notThrough);
      await expect(disk.stat(`${folder}/file`)).rejects.toMatchObject(notThrough);
      await expect(disk.create(`${folder}/new`, Buffer.from('x'), { durable: true })).rejects.toMatchObject(notThrough);
      await expect(disk.remove(`${folder}/file`, { within: folder, durable: true })).rejects.toMatchObject(notThrough);
      await expect(disk.rename(`${folder}/file`, `${folder}/other`, { durable: true })).rejects.toMatchObject(
        notThrough,
      );
      await expect(disk.makeFolder(folder)).rejects.toMatchObject(notThrough);
      await expect(disk.makeFolder(`${folder}/inner`)).rejects.toMatchObject(notThrough);
      await expect(disk.syncFolder(folder)).rejects.toMatchObject(notThrough);
      await expect(
        disk.stage(`${folder}/one/file`, Buffer.from('x'), { id: 'id', within: folder, durable: true }),
      ).rejects.toMatchObject(notThrough);
      if (fs.existsSync(elsewhere)) expect(fs.readdirSync(elsewhere)).toEqual(['file']);
    },
  );

  it('makes way by another name, which is told, and then there is a folder again', async () => {
    const { disk, root } = makeDisk();
    fs.rmdirSync(join(root, 'chunks'));
    await make(join(root, 'chunks'));
    await expect(disk.makeFolder('chunks/version')).rejects.toMatchObject({ details: { errno: 'ENOTDIR' } });
    expect(await disk.setAside('chunks/version/')).toBe('.chunks.corrupt');
    expect(await disk.setAside('chunks/version/')).toBeUndefined();
    for (const folder of ['chunks', 'chunks/version']) await disk.makeFolder(folder);
    await disk.create('chunks/version/file', Buffer.from('x'), { durable: true });
    expect(fs.lstatSync(join(root, '.chunks.corrupt'), { throwIfNoEntry: false })).toBeDefined();
  });
});

it('does not wait for anybody when it syncs what has become a FIFO', async () => {
  const { disk, root } = makeDisk();
  await disk.makeFolder('chunks/version');
  fs.rmdirSync(join(root, 'chunks/version'));
  execFileSync('mkfifo', [join(root, 'chunks/version')]);
  await expect(disk.syncFolder('chunks/version')).rejects.toMatchObject({ details: { errno: 'ENOTDIR' } });
});

it('opens folders and files that had been closed to us, one by one, and leaves alone what only may not be written to', async () => {
  await asNobody(async () => {
    const { disk, root } = makeDisk();
    await disk.makeFolder('chunks/version');
    await disk.create('chunks/version/file', Buffer.from('x'), { durable: false });
    fs.chmodSync(join(root, 'chunks/version/file'), 0);
    fs.chmodSync(join(root, 'chunks/version'), 0);
    fs.chmodSync(join(root, 'chunks'), 0);
    await expect(disk.read('chunks/version/file')).rejects.toMatchObject({ code: 'DISK_READ_ONLY' });
    for (const path of ['chunks', 'chunks/version', 'chunks/version/file', undefined])
      expect(await disk.setAside('chunks/version/file')).toBe(path);
    expect(String(await disk.read('chunks/version/file'))).toBe('x');
    fs.chmodSync(join(root, 'chunks/version'), 0o555);
    expect(await disk.setAside('chunks/version/file')).toBeUndefined();
    expect(fs.statSync(join(root, 'chunks/version')).mode & 0o777).toBe(0o555);
    fs.chmodSync(join(root, 'chunks/version'), 0o755);
  });
});
