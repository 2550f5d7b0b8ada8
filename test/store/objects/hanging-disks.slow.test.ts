import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Disk } from '../../../src/disks/disk.ts';
import { placeAt } from '../../../src/disks/drivers.ts';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import type { ObjectStore } from '../../../src/index.ts';
import { lockName } from '../../../src/locks/locks.ts';
import type { WaitOptions } from '../../../src/store/members/attendance.ts';
import type { StoreContext } from '../../../src/store/protocol/context.ts';
import { deleteObject } from '../../../src/store/objects/delete.ts';
import { get } from '../../../src/store/objects/get.ts';
import { heal } from '../../../src/store/health/heal.ts';
import { put, type PutResult } from '../../../src/store/objects/put.ts';
import { verify } from '../../../src/store/health/verify.ts';
import { seededBytes } from '../../support/bytes.ts';
import { gate, patientContext } from '../../support/context.ts';
import { until } from '../../support/processes.ts';
import { collect, failure, MIB, metaCopies, newStore, read, takeAway } from '../../support/store.ts';

type Hang = Omit<PlannedFault, 'effect'>;

/** A view of the store in which calls of some disks hang until `release`. */
async function hanging(store: ObjectStore, hangs: Record<string, Hang[]>, options: Pick<WaitOptions, 'onWait'> = {}) {
  const going = gate();
  onTestFinished(going.open);
  const faulty: FaultyDisk[] = [];
  const context = await patientContext(
    store,
    (disk) => {
      const planned = hangs[disk.name];
      if (planned === undefined) return disk;
      const around = new FaultyDisk(
        disk,
        planned.map((hang) => ({ times: Infinity, ...hang, effect: { kind: 'hang', until: going.opened } })),
      );
      faulty.push(around);
      return around;
    },
    options,
  );
  const expectFired = (): void => {
    for (const disk of faulty) disk.expectAllFired();
  };
  return { context, release: going.open, expectFired };
}

const upload = (context: StoreContext, key: string, bytes: Uint8Array, redundancy = '1+0'): Promise<PutResult> =>
  put(context, { bucket: 'bucket', key: key }, bytes, { redundancy });
const statusOf = async (context: StoreContext, name: string): Promise<string | undefined> => {
  const states = await context.disks.states();
  return states[context.disks.disks.findIndex((disk: Disk) => disk.name === name)]?.status;
};
const META: Hang = { operation: 'publish', path: /key\.meta\.json$/ };

test('a commit gives a disk up that hangs, counts it as failed, and says so; for all others the disk hangs too, until it has answered', async () => {
  const store = await newStore(3);
  const said: string[] = [];
  const { context, release, expectFired } = await hanging(
    store,
    { disk2: [META] },
    { onWait: (what) => said.push(what) },
  );
  const { failed } = await upload(context, 'key', Buffer.from('new'), '1+1');
  expectFired();
  expect(failed).toMatchObject([
    { disk: 'disk2', reason: expect.stringContaining('disk "disk2" does not answer') as string },
  ]);
  expect(said).toContain('waiting for disk "disk2", which does not answer');
  const other = await patientContext(store);
  expect([await statusOf(context, 'disk2'), await statusOf(other, 'disk2'), await statusOf(other, 'disk1')]).toEqual([
    'hanging',
    'hanging',
    'online',
  ]);
  expect(await collect((await get(other, 'bucket', 'key', {})).body)).toEqual(Buffer.from('new'));
  release();
  await until('disk2 is there again', async () => (await statusOf(other, 'disk2')) === 'online');
  expect(await statusOf(context, 'disk2')).toBe('online');
});

test('what a commit that was given up still does on a disk can’t undo what others have committed meanwhile', async () => {
  const store = await newStore(3);
  await store.put('bucket', 'key', Buffer.from('first'));
  const late = await hanging(store, { disk2: [META] });
  await upload(late.context, 'key', Buffer.from('second'), '1+1');
  const other = await patientContext(store);
  const { offline } = await upload(other, 'key', Buffer.from('third'), '1+1');
  expect(offline).toMatchObject([{ disk: 'disk2', state: { status: 'hanging' } }]);
  late.release();
  await until('disk2 is there again', async () => (await statusOf(other, 'disk2')) === 'online');
  for (const disk of ['disk1', 'disk3']) {
    const bring = takeAway(store, disk);
    expect((await read(store, 'key')).toString()).toBe('third');
    bring();
  }
  expect((await heal(other, {})).failed).toEqual([]);
  expect(metaCopies(store, 'key').map(({ text }) => text)).toEqual(
    new Array(3).fill(readFileSync(metaCopies(store, 'key')[0]?.file ?? '', 'utf8')),
  );
});

test('a delete that was given up on a disk does not take away what is uploaded next', async () => {
  const store = await newStore(3);
  await store.put('bucket', 'key', Buffer.from('old'));
  const late = await hanging(store, { disk2: [{ operation: 'remove', path: /key\.meta\.json$/ }] });
  await deleteObject(late.context, 'bucket', 'key', {});
  late.expectFired();
  const other = await patientContext(store);
  await upload(other, 'key', Buffer.from('new'));
  late.release();
  await until('disk2 is there again', async () => (await statusOf(other, 'disk2')) === 'online');
  expect((await read(store, 'key')).toString()).toBe('new');
  await heal(other, {});
  expect(metaCopies(store, 'key')).toHaveLength(3);
});

test('a chunk that a disk does not take in time goes to another disk, and what the disk still makes of it goes too', async () => {
  const store = await newStore(4);
  const bytes = seededBytes(6 * MIB, 'object');
  const { context, release, expectFired } = await hanging(store, { disk2: [{ operation: 'create' }] });
  const { meta } = await upload(context, 'key', bytes, '2+1');
  expectFired();
  expect([...meta.chunks, ...meta.parity].filter(({ disk }) => disk === 'disk2')).toEqual([]);
  expect((await read(store, 'key')).equals(bytes)).toBe(true);
  release();
  await until('disk2 is there again', async () => (await statusOf(context, 'disk2')) === 'online');
  await heal(context, {});
  expect(await fs.readdir(path.join(store.root, 'disk2', 'chunks'))).toEqual([]);
  expect(await verify(context, {})).toMatchObject({ whole: 1, degraded: 0 });
});

test('with too few disks left the error says which one hangs', async () => {
  const store = await newStore(3);
  takeAway(store, 'disk1');
  const { context } = await hanging(store, { disk2: [META] });
  expect(await failure(upload(context, 'key', Buffer.from('new')))).toMatchObject({
    code: 'DISK_IO',
    disk: 'disk2',
    message: expect.stringContaining('disk "disk2" does not answer') as string,
  });
});

test('verify and heal do not wait for ever for a disk that hangs: what is on it is offline', async () => {
  const store = await newStore(4, { redundancy: '2+1' });
  await store.put('bucket', 'key', seededBytes(4 * MIB, 'object'));
  const { context, expectFired } = await hanging(store, { disk2: [{ operation: 'read', path: /\.(chunk|parity0)$/ }] });
  const states: string[] = [];
  await verify(context, {
    onObject: ({ problems }) =>
      void states.push(...problems.flatMap(({ part, disk, state }) => (part === 'meta' ? [] : [`${disk} ${state}`]))),
  });
  expectFired();
  expect(new Set(states)).toEqual(new Set(['disk2 offline']));
  expect(await heal(context, {})).toMatchObject({ degraded: 1, lost: 0 });
});

test('many objects that are read at once hold up no more reads of a disk that hangs than leaves threads for the others', async () => {
  const store = await newStore(3, { redundancy: '2+1' });
  const objects = new Map(Array.from({ length: 8 }, (_, number) => [`key${number}`, seededBytes(2 * MIB, number)]));
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes);
  const begun = vi.fn();
  const going = gate();
  const context = await patientContext(
    store,
    (disk) => {
      if (disk.name !== 'disk2') return disk;
      const reads = disk.read.bind(disk);
      disk.read = async (file, options) => {
        if (!file.endsWith('.json')) {
          begun();
          await going.opened;
        }
        return reads(file, options);
      };
      return disk;
    },
    { patience: { work: 60_000 } },
  );
  const all = await Promise.all(
    [...objects].map(async ([key, bytes]) =>
      (await collect((await get(context, 'bucket', key, {})).body)).equals(bytes),
    ),
  );
  expect(all).toEqual(new Array(8).fill(true));
  expect(begun.mock.calls.length).toBeLessThanOrEqual(2);
  expect(begun).toHaveBeenCalled();
  going.open();
});

test('memory that a given-up write still reads is not used for other chunks', async () => {
  const store = await newStore(3);
  const first = seededBytes(MIB, 'first');
  const written: Buffer[] = [];
  const going = gate();
  const context = await patientContext(store, (disk) => {
    if (disk.name !== 'disk2') return disk;
    disk.create = async (_, bytes) => {
      await going.opened;
      written.push(Buffer.from(bytes));
    };
    return disk;
  });
  await upload(context, 'key', first, '1+2');
  for (let number = 0; number < 5; number++) await upload(context, 'other', seededBytes(MIB, number), '1+0');
  going.open();
  await until('disk2 is there again', async () => (await statusOf(context, 'disk2')) === 'online');
  expect(written.map((bytes) => bytes.equals(first))).toEqual([true]);
});

test('who changes the disks waits for a commit that does not end, and the commits of others go on', async () => {
  const store = await newStore(3);
  const said: string[] = [];
  const context = await patientContext(store, undefined, {
    patience: { notice: 100, gate: 500 },
    onWait: (what) => said.push(what),
  });
  const stopped = await context.locks.open('write');
  await stopped.lock(lockName.disks(), 'shared');
  let isChanged = false;
  const changing = context.members.change(context.locks, undefined, (document) => {
    isChanged = true;
    return Promise.resolve({ ...document });
  });
  await until('the change has told what it waits for', () => said.includes('waiting for other commands that write'));
  for (let number = 0; number < 5; number++) await upload(context, `key${number}`, Buffer.from('x'));
  expect(isChanged).toBe(false);
  await stopped.close();
  await changing;
  expect(isChanged).toBe(true);
});

test('who was stopped in the gate keeps nobody from committing', async () => {
  const store = await newStore(3);
  const context = await patientContext(store, undefined, { patience: { gate: 100 } });
  const stopped = await context.locks.open('write');
  await stopped.lock(lockName.disksGate(), 'exclusive');
  await upload(context, 'key', Buffer.from('x'));
  expect((await read(store, 'key')).toString()).toBe('x');
  await stopped.close();
});

test('who waits for a key is told so, and an interruption ends the waiting', async () => {
  const store = await newStore(3);
  const said: string[] = [];
  const context = await patientContext(store, undefined, {
    patience: { notice: 100, gate: 500 },
    onWait: (what) => said.push(what),
  });
  const other = await context.locks.open('write');
  await other.lock(lockName.key('bucket', 'key'), 'exclusive');
  const controller = new AbortController();
  const waiting = failure(
    put(context, { bucket: 'bucket', key: 'key' }, Buffer.from('x'), { signal: controller.signal }),
  );
  await until('it has said what it waits for', () =>
    said.includes('waiting for another command that changes bucket/key'),
  );
  controller.abort();
  expect(await waiting).toMatchObject({ code: 'ABORTED' });
  await other.close();
});

test('a disk that hangs is asked once, whoever looks at its place, so that it keeps one thread and no more', async () => {
  const store = await newStore(3);
  const looked = vi.fn();
  const going = gate();
  onTestFinished(going.open);
  const { members } = await patientContext(store, (disk) => {
    disk.state = async () => {
      looked();
      await going.opened;
      return { status: 'online', reason: 'online' };
    };
    return disk;
  });
  const { attendance, document } = members;
  const [entry] = document.disks;
  const place = placeAt(entry?.path ?? '', store.root);
  const look = async (): Promise<string> => {
    const { status } = await attendance
      .disk(place, { storeId: document.id, name: entry?.name ?? '', id: entry?.id ?? '' })
      .state();
    return status;
  };
  expect([await look(), await look(), await members.disks.disks[0]?.state()]).toMatchObject([
    'hanging',
    'hanging',
    { status: 'hanging' },
  ]);
  expect(looked).toHaveBeenCalledTimes(1);
  const asked = vi.fn(() => Promise.resolve());
  await attendance.ask(placeAt('buckets', place.where), asked);
  expect(asked).not.toHaveBeenCalled();
});
