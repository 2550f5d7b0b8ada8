import { describe, expect, it } from 'vitest';
import type { Disk } from '../../src/disks/disk.ts';
import { FaultyDisk, type FaultyOperation } from './faulty-disk.ts';
import { deferred } from '../disks/deferred.ts';
import { makeDisk } from '../disks/make-disks.ts';

const BYTES = Buffer.from('bytes');
const STAGE = { id: 'id', within: 'buckets', durable: false };

/** Calls each operation once, on a disk with `chunks/there` in it. */
const CALLS: Record<FaultyOperation, (disk: Disk) => Promise<unknown>> = {
  read: (disk) => disk.read('chunks/there'),
  stat: (disk) => disk.stat('chunks/there'),
  create: (disk) => disk.create('chunks/new', BYTES, { durable: false }),
  stage: (disk) => disk.stage('buckets/file', BYTES, STAGE),
  publish: async (disk) => (await disk.stage('buckets/file', BYTES, STAGE)).publish(),
  discard: async (disk) => (await disk.stage('buckets/file', BYTES, STAGE)).discard(),
  remove: (disk) => disk.remove('chunks/there', { within: 'chunks', durable: false }),
  rename: (disk) => disk.rename('chunks/there', 'chunks/renamed', { durable: false }),
  room: (disk) => disk.room(),
  makeFolder: (disk) => disk.makeFolder('chunks/folder'),
  syncFolder: (disk) => disk.syncFolder('chunks'),
  flush: (disk) => disk.flush(),
  removeFolder: (disk) => disk.removeFolder('chunks'),
  setAside: (disk) => disk.setAside('chunks/there'),
  list: (disk) => disk.list('chunks'),
};
const OPERATIONS = Object.keys(CALLS) as FaultyOperation[];

async function filled(): Promise<Disk> {
  const { disk } = makeDisk();
  await disk.create('chunks/there', BYTES, { durable: false });
  return disk;
}

describe('a disk with planned faults', () => {
  it.each(OPERATIONS)('fails a %s as the local disk would, once, and works again afterwards', async (operation) => {
    const disk = new FaultyDisk(await filled(), [{ operation, effect: { kind: 'fail', errno: 'ENOSPC' } }]);
    await expect(CALLS[operation](disk)).rejects.toMatchObject({
      name: 'StoreError',
      code: 'DISK_FULL',
      details: { disk: 'disk1', errno: 'ENOSPC' },
      cause: { code: 'ENOSPC' },
    });
    await CALLS[operation](disk);
    disk.expectAllFired();
  });

  it('has done nothing when it fails, and has done the work when it fails after it', async () => {
    const inner = await filled();
    const before = new FaultyDisk(inner, [{ operation: 'create', effect: { kind: 'fail', errno: 'EIO' } }]);
    await expect(CALLS.create(before)).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(await inner.read('chunks/new')).toBeUndefined();
    const after = new FaultyDisk(inner, [{ operation: 'create', effect: { kind: 'fail-after', errno: 'EIO' } }]);
    await expect(CALLS.create(after)).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(String(await inner.read('chunks/new'))).toBe('bytes');
  });

  it('strikes the nth call about a path, so many times in a row, and counts each fault by itself', async () => {
    const disk = new FaultyDisk(await filled(), [
      { operation: 'read', path: 'chunks/there', nth: 2, times: 2, effect: { kind: 'fail', errno: 'EIO' } },
      { operation: 'read', path: /other/, effect: { kind: 'fail', errno: 'EIO' } },
    ]);
    const outcomes: string[] = [];
    for (const path of ['there', 'there', 'other', 'there', 'there', 'other']) {
      outcomes.push(
        await disk.read(`chunks/${path}`).then(
          () => 'read',
          () => 'failed',
        ),
      );
    }
    expect(outcomes).toEqual(['read', 'failed', 'failed', 'failed', 'read', 'read']);
    disk.expectAllFired();
  });

  it('damages what a reader gets and not what is there', async () => {
    const inner = await filled();
    const disk = new FaultyDisk(inner, [
      { operation: 'read', effect: { kind: 'damage', damage: (bytes) => bytes.subarray(1) } },
    ]);
    expect(String(await disk.read('chunks/there'))).toBe('ytes');
    expect(String(await disk.read('chunks/there'))).toBe('bytes');
    expect(String(await inner.read('chunks/there'))).toBe('bytes');
  });

  it('holds a call up until it is released', async () => {
    const gate = deferred();
    const inner = await filled();
    const disk = new FaultyDisk(inner, [{ operation: 'create', effect: { kind: 'hang', until: gate.promise } }]);
    const created = CALLS.create(disk);
    await CALLS.read(disk);
    expect(await inner.read('chunks/new')).toBeUndefined();
    gate.resolve();
    await created;
    expect(String(await inner.read('chunks/new'))).toBe('bytes');
  });

  it('names the planned faults that never fired', async () => {
    const disk = new FaultyDisk(await filled(), [
      { operation: 'read', effect: { kind: 'fail', errno: 'EIO' } },
      { operation: 'remove', path: 'chunks/there', nth: 2, effect: { kind: 'fail', errno: 'EIO' } },
    ]);
    await expect(CALLS.read(disk)).rejects.toMatchObject({ code: 'DISK_IO' });
    await CALLS.remove(disk);
    expect(() => {
      disk.expectAllFired();
    }).toThrow('planned faults of disk "disk1" never fired: remove chunks/there');
  });

  it('refuses a plan that could never work: damage to anything but a read', async () => {
    const inner = await filled();
    const plan = [{ operation: 'stat', effect: { kind: 'damage', damage: (bytes: Buffer) => bytes } }] as const;
    expect(() => new FaultyDisk(inner, plan)).toThrow(TypeError);
  });
});
