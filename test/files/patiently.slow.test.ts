import type * as fs from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { KernelLocks } from '../../src/locks/kernel-locks.ts';
import { makeDisk } from '../disks/make-disks.ts';
import { tempFolder } from '../support/temp.ts';

const system = await vi.hoisted(async () => new (await import('./system-calls.ts')).SystemCalls());
vi.mock('node:fs', async (original) => system.watched(await original<typeof fs>()));

const SHORTAGES = ['EMFILE', 'ENFILE', 'ENOMEM', 'EINTR'];

/** Lets calls that begin so fail so many times. */
function fail(call: string, errno: string, times: number): void {
  let left = times;
  system.plan = (described) => (described.startsWith(call) && left-- > 0 ? errno : undefined);
}

beforeEach(() => {
  system.reset();
});

describe.each(SHORTAGES)('%s', (errno) => {
  it.each(['open', 'write', 'rename', 'mkdir'])('of %s is outlasted where it passes', async (call) => {
    const { disk } = makeDisk();
    fail(`${call} `, errno, 3);
    const staged = await disk.stage('buckets/one/file', Buffer.from('bytes'), {
      id: 'id',
      within: 'buckets',
      durable: true,
    });
    await staged.publish();
    expect(String(await disk.read('buckets/one/file'))).toBe('bytes');
    expect((await disk.state()).status).toBe('online');
  });

  it("that stays is the process's own: OUT_OF_RESOURCES that names no disk, from the disk, its state and the locks", async () => {
    const { disk } = makeDisk();
    fail('open ', errno, Infinity);
    const failure = { code: 'OUT_OF_RESOURCES', details: { errno }, message: expect.stringContaining(errno) as string };
    await expect(disk.read('chunks/file')).rejects.toMatchObject(failure);
    await expect(disk.state()).rejects.toMatchObject(failure);
    const locks = new KernelLocks(join(tempFolder(), '.lock'));
    await expect(locks.open('write')).rejects.toMatchObject(failure);
    await expect(locks.open('read')).rejects.toMatchObject(failure);
    const error: unknown = await disk
      .create(`chunks/file`, Buffer.from('x'), { durable: true })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject(failure);
    expect(error).not.toMatchObject({ details: { disk: disk.name } });
  });

  it('of a sync is never tried again: the file is discarded', async () => {
    const { disk, root } = makeDisk();
    fail('fsync ', errno, 1);
    await expect(disk.create('chunks/file', Buffer.from('x'), { durable: true })).rejects.toMatchObject({
      code: 'OUT_OF_RESOURCES',
    });
    expect(system.calls(root, 'fsync', 'unlink')).toEqual(['fsync chunks/file', 'unlink chunks/file']);
  });
});

it('asks a few times, not for ever', async () => {
  const { disk } = makeDisk();
  fail('open ', 'EMFILE', Infinity);
  await expect(disk.read('chunks/file')).rejects.toMatchObject({ code: 'OUT_OF_RESOURCES' });
  expect(system.log.length).toBeGreaterThan(5);
  expect(system.log.length).toBeLessThan(50);
});

it("asks once where the error is the disk's", async () => {
  const { disk } = makeDisk();
  fail('open ', 'EIO', Infinity);
  await expect(disk.read('chunks/file')).rejects.toMatchObject({
    code: 'DISK_IO',
    details: { disk: 'disk1', errno: 'EIO' },
  });
  expect(system.log).toHaveLength(1);
});
