import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FanOutFolders } from '../../src/chunks/fan-out-folders.ts';
import type { Disk } from '../../src/disks/disk.ts';
import { chunkFile, fanOutOf } from '../../src/metadata/shard-file.ts';
import { deferred } from '../disks/deferred.ts';
import { makeDisks } from '../disks/make-disks.ts';
import { LATER, VERSION } from '../metadata/sample-meta.ts';
import { FaultyDisk, type PlannedFault } from '../support/faulty-disk.ts';

const FOLDER = fanOutOf(VERSION);
const BYTES = Buffer.from('bytes');
const DURABLE = { durable: true };

/** A disk, what is known of its folders, and the folders that have been made or synced so far. */
function prepare(faults: PlannedFault[] = []) {
  const { disk: inner, root } = makeDisks(1)[0] ?? expect.fail('there is no disk');
  const calls: string[] = [];
  const [makeFolder, syncFolder] = [inner.makeFolder.bind(inner), inner.syncFolder.bind(inner)];
  inner.makeFolder = async (path) => {
    await makeFolder(path);
    calls.push(`make ${path}`);
  };
  inner.syncFolder = async (path) => {
    await syncFolder(path);
    calls.push(`sync ${path}`);
  };
  const disk: Disk = new FaultyDisk(inner, faults);
  return { disk, root, folders: new FanOutFolders(), take: () => calls.splice(0) };
}

describe('a fan-out folder', () => {
  it('is made for its first chunk, and its name is made durable once', async () => {
    const { disk, folders, take } = prepare();
    await folders.create(disk, chunkFile(VERSION, 0), BYTES, DURABLE);
    await folders.sync(disk, FOLDER);
    expect(take()).toEqual([`make ${FOLDER}`, `sync ${FOLDER}`, 'sync chunks']);
    await folders.create(disk, chunkFile(VERSION, 1), BYTES, DURABLE);
    await folders.sync(disk, FOLDER);
    expect(take()).toEqual([`sync ${FOLDER}`]);
    expect(await disk.list(FOLDER)).toHaveLength(2);
  });

  it('that somebody else has made, and may not have synced, is made durable too', async () => {
    const { disk, folders, take } = prepare();
    await disk.makeFolder(FOLDER);
    take();
    await folders.create(disk, chunkFile(VERSION, 0), BYTES, DURABLE);
    await folders.sync(disk, FOLDER);
    expect(take()).toEqual([`sync ${FOLDER}`, 'sync chunks']);
  });

  it('is known to be durable on the disk on which it is, and no other; and so is each folder by itself', async () => {
    const [one, two] = [prepare(), prepare()];
    const { folders } = one;
    for (const { disk } of [one, two]) await folders.create(disk, chunkFile(VERSION, 0), BYTES, DURABLE);
    await folders.create(one.disk, chunkFile(LATER, 0), BYTES, DURABLE);
    await folders.sync(one.disk, FOLDER);
    one.take();
    two.take();
    await folders.sync(two.disk, FOLDER);
    await folders.sync(one.disk, fanOutOf(LATER));
    expect(two.take()).toEqual([`sync ${FOLDER}`, 'sync chunks']);
    expect(one.take()).toEqual([`sync ${fanOutOf(LATER)}`, 'sync chunks']);
  });

  it('that has been removed by hand is made again, and made durable again', async () => {
    const { disk, root, folders, take } = prepare();
    await folders.create(disk, chunkFile(VERSION, 0), BYTES, DURABLE);
    await folders.sync(disk, FOLDER);
    take();
    rmSync(join(root, FOLDER), { recursive: true });
    await folders.create(disk, chunkFile(VERSION, 1), BYTES, DURABLE);
    await folders.sync(disk, FOLDER);
    expect(take()).toEqual([`make ${FOLDER}`, `sync ${FOLDER}`, 'sync chunks']);
  });

  it('is not taken for durable by a sync that began before it was made again', async () => {
    const gate = deferred();
    const { disk, root, folders, take } = prepare([
      { operation: 'syncFolder', path: 'chunks', effect: { kind: 'hang', until: gate.promise } },
    ]);
    await folders.create(disk, chunkFile(VERSION, 0), BYTES, DURABLE);
    const syncing = folders.sync(disk, FOLDER);
    await expect.poll(take).toContain(`sync ${FOLDER}`);
    rmSync(join(root, FOLDER), { recursive: true });
    await folders.create(disk, chunkFile(VERSION, 1), BYTES, DURABLE);
    gate.resolve();
    await syncing;
    take();
    await folders.sync(disk, FOLDER);
    expect(take()).toEqual([`sync ${FOLDER}`, 'sync chunks']);
  });

  it.each([FOLDER, 'chunks'])('is not taken for durable where the sync of %s has failed', async (path) => {
    const { disk, folders, take } = prepare([
      { operation: 'syncFolder', path, effect: { kind: 'fail', errno: 'EIO' } },
    ]);
    await folders.create(disk, chunkFile(VERSION, 0), BYTES, DURABLE);
    await expect(folders.sync(disk, FOLDER)).rejects.toMatchObject({ code: 'DISK_IO' });
    take();
    await folders.sync(disk, FOLDER);
    expect(take()).toEqual([`sync ${FOLDER}`, 'sync chunks']);
  });

  it('is made once for a chunk: what fails then, or for another reason, fails', async () => {
    const gone: PlannedFault = { operation: 'create', times: Infinity, effect: { kind: 'fail', errno: 'ENOENT' } };
    const full: PlannedFault = { operation: 'create', effect: { kind: 'fail', errno: 'ENOSPC' } };
    const [one, two] = [prepare([gone]), prepare([full])];
    const create = ({ disk, folders }: typeof one): Promise<void> =>
      folders.create(disk, chunkFile(VERSION, 0), BYTES, DURABLE);
    await expect(create(one)).rejects.toMatchObject({ details: { fault: 'missing' } });
    expect(one.take()).toEqual([`make ${FOLDER}`]);
    await expect(create(two)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(two.take()).toEqual([]);
  });

  it('is not made on a disk that has lost the folder of all chunks', async () => {
    const { disk, root, folders } = prepare();
    rmSync(join(root, 'chunks'), { recursive: true });
    await expect(folders.create(disk, chunkFile(VERSION, 0), BYTES, DURABLE)).rejects.toMatchObject({
      code: 'DISK_IO',
    });
  });
});
