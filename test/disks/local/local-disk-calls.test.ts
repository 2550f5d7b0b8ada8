import { readdirSync, readFileSync, renameSync } from 'node:fs';
import type * as fs from 'node:fs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemCalls } from '../../files/system-calls.ts';
import { deferred } from '../deferred.ts';
import { makeDisk } from '../make-disks.ts';

const system = await vi.hoisted(async () => new (await import('../../files/system-calls.ts')).SystemCalls());
vi.mock('node:fs', async (original) => system.watched(await original<typeof fs>()));

const PATH = 'buckets/one/two/file';
const DURABLE = { durable: true };
const STAGE = { id: 'id', within: 'buckets', durable: true };
const BYTES = Buffer.from('bytes');

beforeEach(() => {
  system.reset();
});

describe('what a LocalDisk asks of the system', () => {
  it('is watched by these tests', async () => {
    const { disk, root } = makeDisk();
    system.reset();
    expect(system).toBeInstanceOf(SystemCalls);
    await disk.makeFolder('buckets/one');
    expect(system.calls(root, 'mkdir')).toEqual(['mkdir buckets/one']);
  });

  it('writes and syncs a created file, and does not sync its name', async () => {
    const { disk, root } = makeDisk();
    await disk.create('chunks/file', BYTES, DURABLE);
    expect(system.calls(root, 'open', 'write', 'fsync')).toEqual([
      'open chunks/file',
      'write chunks/file',
      'fsync chunks/file',
    ]);
  });

  it('syncs staged bytes before the rename that publishes them, and then the names, from the inside out', async () => {
    const { disk, root } = makeDisk();
    const staged = await disk.stage(PATH, BYTES, STAGE);
    expect(system.calls(root, 'write', 'fsync', 'rename')).toEqual(['write tmp/id', 'fsync tmp/id']);
    await staged.publish();
    expect(system.calls(root, 'fsync', 'rename')).toEqual([
      'fsync tmp/id',
      `rename tmp/id ${PATH}`,
      'fsync buckets/one/two',
      'fsync buckets/one',
      'fsync buckets',
    ]);
  });

  it('syncs the innermost folder that is there after a removal, also where nothing was left to remove', async () => {
    const { disk, root } = makeDisk();
    await disk.makeFolder('buckets/one');
    system.reset();
    await disk.remove(PATH, { within: 'buckets', durable: true });
    expect(system.calls(root, 'fsync')).toEqual(['fsync buckets/one']);
    system.reset();
    await disk.remove('buckets/none/.bucket.json', { within: 'buckets/none', durable: true });
    expect(system.calls(root, 'fsync')).toEqual(['fsync buckets']);
  });

  it('fails like a disk that has gone where it goes while what leads to a removed file is synced', async () => {
    const { disk, root } = makeDisk();
    await disk.makeFolder('buckets/one');
    system.plan = (call) => {
      if (call === `open ${root}/buckets/one`) renameSync(root, `${root}-away`);
      return undefined;
    };
    await expect(disk.remove('buckets/one/file', { within: 'buckets', durable: true })).rejects.toMatchObject({
      code: 'DISK_IO',
      details: { disk: 'disk1', errno: 'ENOENT' },
    });
  });

  it('renames in one call, and then syncs the folder, where the name must be durable', async () => {
    const { disk, root } = makeDisk();
    await disk.create('chunks/old', BYTES, DURABLE);
    system.reset();
    await disk.rename('chunks/old', 'chunks/new', DURABLE);
    expect(system.calls(root, 'rename', 'unlink', 'fsync')).toEqual(['rename chunks/old chunks/new', 'fsync chunks']);
  });

  it('reports a new name that could not be made durable, and syncs nothing where the rename failed', async () => {
    const { disk, root } = makeDisk();
    await disk.create('chunks/old', BYTES, DURABLE);
    system.plan = (described) => (described.startsWith('fsync') ? 'EIO' : undefined);
    await expect(disk.rename('chunks/old', 'chunks/new', DURABLE)).rejects.toMatchObject({
      code: 'DISK_IO',
      details: { disk: 'disk1', errno: 'EIO' },
    });
    system.reset();
    system.plan = (described) => (described.startsWith('rename') ? 'EROFS' : undefined);
    await expect(disk.rename('chunks/new', 'chunks/old', DURABLE)).rejects.toMatchObject({
      code: 'DISK_READ_ONLY',
      details: { disk: 'disk1', path: 'chunks/new' },
    });
    expect(system.calls(root, 'fsync')).toEqual([]);
  });

  it('syncs the folder of a removed file before it removes the folder', async () => {
    const { disk, root } = makeDisk();
    await (await disk.stage(PATH, BYTES, STAGE)).publish();
    system.reset();
    await disk.remove(PATH, STAGE);
    expect(system.calls(root, 'unlink', 'fsync', 'rmdir')).toEqual([
      `unlink ${PATH}`,
      'fsync buckets/one/two',
      'rmdir buckets/one/two',
      'rmdir buckets/one',
    ]);
  });

  it('syncs nothing that was not asked to be durable', async () => {
    const { disk, root } = makeDisk();
    await disk.create('chunks/file', BYTES, { durable: false });
    await disk.rename('chunks/file', 'chunks/renamed', { durable: false });
    await (await disk.stage(PATH, BYTES, { ...STAGE, durable: false })).publish();
    await disk.remove(PATH, { within: 'buckets', durable: false });
    expect(system.calls(root, 'fsync')).toEqual([]);
    expect(system.calls(root, 'rename', 'unlink')).toHaveLength(3);
  });

  it.each(['write', 'fsync'])('discards a created file whose %s failed, and does not try again', async (call) => {
    const { disk, root } = makeDisk();
    system.plan = (described) => (described.startsWith(`${call} `) ? 'EIO' : undefined);
    await expect(disk.create('chunks/file', BYTES, DURABLE)).rejects.toMatchObject({
      code: 'DISK_IO',
      details: { disk: 'disk1', path: 'chunks/file', errno: 'EIO' },
    });
    expect(system.calls(root, call)).toHaveLength(1);
    expect(readdirSync(`${root}/chunks`)).toEqual([]);
  });

  it.each([
    ['write', 'ENOSPC', 'DISK_FULL'],
    ['fsync', 'EIO', 'DISK_IO'],
    ['open', 'EDQUOT', 'DISK_FULL'],
    ['open', 'EROFS', 'DISK_READ_ONLY'],
    ['mkdir', 'ENOSPC', 'DISK_FULL'],
  ])('leaves nothing of a staged file whose %s failed with %s, and calls that %s', async (call, errno, code) => {
    const { disk, root } = makeDisk();
    let calls = 0;
    // Of two folders it is the second that fails, so that the first has to be taken back.
    system.plan = (described) =>
      described.startsWith(`${call} `) && (call !== 'mkdir' || ++calls === 2) ? errno : undefined;
    await expect(disk.stage(PATH, BYTES, STAGE)).rejects.toMatchObject({ code, details: { disk: 'disk1', errno } });
    expect(readdirSync(`${root}/tmp`)).toEqual([]);
    expect(readdirSync(`${root}/buckets`)).toEqual([]);
  });

  it('reports a name that could not be made durable, and does not ask twice', async () => {
    const { disk, root } = makeDisk();
    const staged = await disk.stage(PATH, BYTES, STAGE);
    system.plan = (described) =>
      described.endsWith('buckets/one') && described.startsWith('fsync') ? 'EIO' : undefined;
    await expect(staged.publish()).rejects.toMatchObject({
      code: 'DISK_IO',
      details: { path: 'buckets/one', errno: 'EIO' },
    });
    expect(system.calls(root, 'fsync').filter((call) => call === 'fsync buckets/one')).toHaveLength(1);
  });

  it('makes its folders again and publishes when another operation has removed them as empty', async () => {
    const { disk, root } = makeDisk();
    const staged = await disk.stage(PATH, BYTES, STAGE);
    await disk.remove('buckets/one/two/other', { within: 'buckets', durable: false });
    expect(readdirSync(`${root}/buckets`)).toEqual([]);
    await staged.publish();
    expect(readFileSync(`${root}/${PATH}`, 'utf8')).toBe('bytes');
  });

  it('gives up, and does not spin, when folders can never be made to stay', async () => {
    const { disk } = makeDisk();
    const staged = await disk.stage(PATH, BYTES, STAGE);
    system.plan = (described) => (described.startsWith('rename') ? 'ENOENT' : undefined);
    await expect(staged.publish()).rejects.toMatchObject({ code: 'DISK_IO', details: { errno: 'ENOENT' } });
  });

  it('removes durably although another removal takes the emptied folder away before it is synced', async () => {
    const { disk, root } = makeDisk();
    await (await disk.stage(PATH, BYTES, STAGE)).publish();
    system.reset();
    const overtaken = deferred();
    system.plan = (described) => (described === `open ${root}/buckets/one/two` ? overtaken.promise : undefined);
    const removal = disk.remove(PATH, STAGE);
    await vi.waitUntil(() => system.log.includes(`open ${root}/buckets/one/two`));
    await disk.remove('buckets/one/two/other', { within: 'buckets', durable: false });
    overtaken.resolve();
    await removal;
    // The name is durable when the folder that is left no longer names the way to it.
    expect(system.calls(root, 'fsync')).toEqual(['fsync buckets']);
  });

  it.each(['remove', 'discard'])(
    'lets an empty folder be that cannot be removed by %s: the file is gone, and that is what counts',
    async (operation) => {
      const { disk, root } = makeDisk();
      const staged = await disk.stage(PATH, BYTES, STAGE);
      if (operation === 'remove') await staged.publish();
      system.plan = (described) => (described.startsWith('rmdir') ? 'EIO' : undefined);
      await (operation === 'remove' ? disk.remove(PATH, STAGE) : staged.discard());
      expect(system.calls(root, 'rmdir')).toHaveLength(1);
      expect([...readdirSync(`${root}/tmp`), ...readdirSync(`${root}/buckets/one/two`)]).toEqual([]);
    },
  );
});
