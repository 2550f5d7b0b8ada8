import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallGate, callsAtOnce, callsUnderWay } from '../../src/concurrency/call-gate.ts';
import type { Disk, DiskState } from '../../src/disks/disk.ts';
import { DiskSet } from '../../src/disks/disk-set.ts';
import { FaultyDisk, type FaultyOperation } from '../support/faulty-disk.ts';
import { lend, untilFree } from '../../src/memory/lent-memory.ts';
import { PATIENCE_MS, patienceOf } from '../../src/concurrency/patience.ts';
import { PatientDisk, type Owed } from '../../src/disks/patient-disk.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { deferred } from './deferred.ts';
import { namesOf, stubDisks } from './stub-disk.ts';

const ONLINE: DiskState = { status: 'online', reason: 'online' };
const LONG_MS = 6 * PATIENCE_MS;
const BYTES = Buffer.from('bytes');

/** Changes that are owed, as all processes see them. */
class Ledger implements Owed {
  held = 0;
  /** Until this resolves, nobody can be told. */
  telling: Promise<void> = Promise.resolve();

  async hold(over: Promise<void>): Promise<void> {
    await this.telling;
    this.held++;
    void over.then(() => this.held--);
  }

  isHeld(): Promise<boolean> {
    return Promise.resolve(this.held > 0);
  }
}

function patient(
  disk: Disk,
  { limit = 2, owed = new Ledger(), hurry }: { limit?: number; owed?: Owed; hurry?: AbortSignal } = {},
) {
  const said: string[] = [];
  const onWait = (what: string): void => void said.push(what);
  return {
    said,
    disk: new PatientDisk(() => disk, { atOnce: () => limit, owed, patience: patienceOf(), onWait, hurry }),
  };
}

/** A disk of which the first call of an operation hangs until `release`; another process may look at it too. */
function withHanging(operation: FaultyOperation, options: Parameters<typeof patient>[1] = {}) {
  const hang = deferred();
  const owed = new Ledger();
  const inner = new MemoryDisk('disk2');
  const faulty = new FaultyDisk(inner, [{ operation, effect: { kind: 'hang', until: hang.promise } }]);
  return {
    owed,
    inner,
    ...patient(faulty, { owed, ...options }),
    other: patient(inner, { owed }).disk,
    release: hang.resolve,
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const refused = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );
const silent = {
  code: 'DISK_IO',
  details: { disk: 'disk2', fault: 'offline' },
  message: expect.stringContaining('disk "disk2" does not answer') as string,
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a disk that does not say how it is', () => {
  /** Three disks of which the second does not answer before it is told to. */
  function prepare() {
    const stubs = stubDisks(3);
    const answers: ((state: DiskState) => void)[] = [];
    const [, mute] = stubs;
    if (mute === undefined) throw new Error('there is no second disk');
    mute.answer = () => new Promise((resolve) => answers.push(resolve));
    return {
      stubs,
      mute,
      set: new DiskSet(stubs.map((stub) => patient(stub).disk)),
      answer: (state: DiskState) => answers.shift()?.(state),
    };
  }

  it('counts as hanging when patience is at its end, and not before; the others are online', async () => {
    const { set } = prepare();
    let view: Awaited<ReturnType<DiskSet['look']>> | undefined;
    const looking = set.look().then((seen) => (view = seen));
    await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1);
    expect(view).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    const { online, offline } = await looking;
    expect(namesOf(online)).toEqual(['disk1', 'disk3']);
    expect(offline).toEqual([{ disk: 'disk2', state: { status: 'hanging', reason: 'it has not answered for 5 s' } }]);
  });

  it('is not asked again before it has answered, however late; what it said then is not taken for news', async () => {
    const { set, mute, answer } = prepare();
    const first = set.look();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    await first;
    for (let round = 0; round < 5; round++)
      expect((await set.look()).offline).toMatchObject([{ disk: 'disk2', state: { status: 'hanging' } }]);
    expect(mute.looks).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
    answer(ONLINE);
    await settle();
    mute.leave();
    expect((await set.look()).offline).toMatchObject([{ disk: 'disk2', state: { status: 'missing' } }]);
    mute.comeBack();
    expect(namesOf((await set.look()).online)).toEqual(['disk1', 'disk2', 'disk3']);
    expect(mute.looks).toBe(3);
  });

  it('is online where it answers just in time', async () => {
    const { set, answer } = prepare();
    const looking = set.look();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1);
    answer(ONLINE);
    expect((await looking).offline).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes part in neither quorum', async () => {
    const { set, stubs } = prepare();
    stubs[2]?.leave();
    const writing = refused(set.lookForWriting());
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    expect(await writing).toMatchObject({ code: 'TOO_FEW_DISKS_TO_WRITE', details: { expected: 2, found: 1 } });
    expect(await refused(set.lookForReading())).toMatchObject({
      code: 'TOO_FEW_DISKS_TO_READ',
      message: expect.stringContaining('disk "disk2" is hanging (it has not answered for 5 s)') as string,
    });
    expect(await set.areAllOnline()).toBe(false);
  });
});

describe('a call that hangs', () => {
  const changes: [FaultyOperation, (disk: Disk) => Promise<unknown>][] = [
    ['create', (disk) => disk.create('chunks/x', BYTES, { durable: true })],
    ['stage', (disk) => disk.stage('buckets/x', BYTES, { id: 'x', within: 'buckets', durable: true })],
    [
      'publish',
      async (disk) => (await disk.stage('buckets/x', BYTES, { id: 'x', within: 'buckets', durable: true })).publish(),
    ],
    [
      'discard',
      async (disk) => (await disk.stage('buckets/x', BYTES, { id: 'x', within: 'buckets', durable: true })).discard(),
    ],
    ['remove', (disk) => disk.remove('buckets/x', { within: 'buckets', durable: true })],
    ['rename', (disk) => disk.rename('chunks/a', 'chunks/b', { durable: true })],
    ['makeFolder', (disk) => disk.makeFolder('chunks/x')],
    ['removeFolder', (disk) => disk.removeFolder('chunks/x')],
  ];
  const others: [FaultyOperation, (disk: Disk) => Promise<unknown>, number][] = [
    ['read', (disk) => disk.read('buckets/x'), PATIENCE_MS],
    ['read', (disk) => disk.read('chunks/x', { buffer: Buffer.alloc(10), limit: 5 }), LONG_MS],
    ['stat', (disk) => disk.stat('chunks/x'), PATIENCE_MS],
    ['list', (disk) => disk.list('chunks'), PATIENCE_MS],
    ['room', (disk) => disk.room(), PATIENCE_MS],
    ['syncFolder', (disk) => disk.syncFolder('chunks'), LONG_MS],
  ];

  it.each([...changes.map(([name, call]) => [name, call, LONG_MS] as const), ...others])(
    'is given up: %s, and until it returns the disk hangs and is asked for nothing',
    async (operation, call, patience) => {
      const { disk, inner, release } = withHanging(operation);
      const before = callsUnderWay();
      let error: unknown;
      const calling = refused(call(disk)).then((told) => (error = told));
      await vi.advanceTimersByTimeAsync(patience - 1);
      expect(error).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      await calling;
      expect(error).toMatchObject(silent);
      expect(error).not.toHaveProperty('details.errno');
      const asked = vi.spyOn(inner, 'list');
      expect(await disk.state()).toMatchObject({ status: 'hanging' });
      expect(await refused(disk.list('chunks'))).toMatchObject(silent);
      expect(asked).not.toHaveBeenCalled();
      expect(callsUnderWay()).toBe(before + 1);
      release();
      await settle();
      expect(await disk.state()).toMatchObject({ status: 'online' });
      expect(callsUnderWay()).toBe(before);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it.each(changes)(
    'is owed where it changes something (%s): the disk hangs for everybody else too, until it has returned',
    async (operation, call) => {
      const { disk, other, release } = withHanging(operation);
      const calling = refused(call(disk));
      await vi.advanceTimersByTimeAsync(LONG_MS - 1);
      expect(await other.state()).toMatchObject({ status: 'online' });
      await vi.advanceTimersByTimeAsync(1);
      await calling;
      expect(await other.state()).toEqual({
        status: 'hanging',
        reason: 'it has not done yet what a command has asked of it',
      });
      release();
      await settle();
      expect(await other.state()).toMatchObject({ status: 'online' });
    },
  );

  it.each(others.map(([operation, call]) => [operation, call] as const))(
    'is nobody else’s concern where it changes nothing (%s)',
    async (operation, call) => {
      const { disk, other, release } = withHanging(operation);
      const calling = refused(call(disk));
      await vi.advanceTimersByTimeAsync(LONG_MS);
      await calling;
      expect(await other.state()).toMatchObject({ status: 'online' });
      release();
      await settle();
    },
  );

  it('is waited for as long as others can’t be told of it, and counts when it returns meanwhile', async () => {
    const { disk, owed, release } = withHanging('remove');
    const telling = deferred();
    owed.telling = telling.promise;
    let outcome: unknown = 'waiting';
    const calling = disk.remove('chunks/x', { within: 'chunks', durable: false }).then(() => (outcome = 'done'));
    await vi.advanceTimersByTimeAsync(2 * LONG_MS);
    expect(outcome).toBe('waiting');
    release();
    await calling;
    telling.resolve();
    await settle();
    expect([owed.held, await disk.state()]).toMatchObject([0, { status: 'online' }]);
  });

  it.each(['create', 'stage'] as const)(
    'leaves nothing behind when it succeeds late (%s), and its memory is lent until then',
    async (operation) => {
      const { disk, inner, release } = withHanging(operation);
      const bytes = Buffer.alloc(100);
      const [, call] = changes.find(([name]) => name === operation) ?? expect.fail();
      const calling = refused(operation === 'create' ? disk.create('chunks/x', bytes, { durable: false }) : call(disk));
      expect(untilFree(bytes)).toBeUndefined();
      await vi.advanceTimersByTimeAsync(LONG_MS);
      await calling;
      if (operation === 'create') expect(untilFree(bytes.subarray(50))).toBeDefined();
      release();
      await settle();
      expect(untilFree(bytes)).toBeUndefined();
      expect([await inner.list('chunks'), await inner.list('tmp')]).toEqual([[], []]);
    },
  );

  it('keeps memory lent until all calls that use it are over, of however many disks', () => {
    const memory = Buffer.alloc(100);
    const [first, second] = [deferred(), deferred()];
    lend(memory, first.promise);
    lend(memory, second.promise);
    const free = Promise.resolve(untilFree(memory)).then(() => 'free');
    second.resolve();
    const soon = new Promise((resolve) => setImmediate(resolve, 'lent'));
    return Promise.race([free, soon]).then(async (state) => {
      expect(state).toBe('lent');
      expect(untilFree(memory)).toBeDefined();
      first.resolve();
      expect(await free).toBe('free');
      expect(untilFree(memory)).toBeUndefined();
    });
  });

  it('sends those away who wait in front, and they never begin', async () => {
    const { disk, inner, release } = withHanging('syncFolder', { limit: 1 });
    const created = vi.spyOn(inner, 'create');
    const waiting = [
      disk.syncFolder('chunks'),
      disk.create('chunks/x', BYTES, { durable: false }),
      disk.list('chunks'),
    ].map(refused);
    await vi.advanceTimersByTimeAsync(LONG_MS);
    for (const told of waiting) expect(await told).toMatchObject(silent);
    release();
    await settle();
    expect(created).not.toHaveBeenCalled();
  });

  it('is told of once, after three seconds, and once more when the disk has answered meanwhile', async () => {
    const { disk, said, release } = withHanging('syncFolder');
    const first = disk.syncFolder('chunks');
    await vi.advanceTimersByTimeAsync(2999);
    expect(said).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(said).toEqual(['waiting for disk "disk2", which does not answer']);
    release();
    await first;
    await disk.syncFolder('chunks');
    expect(said).toHaveLength(1);
  });

  it('is given up soon when whoever waits is interrupted', async () => {
    const controller = new AbortController();
    const { disk, release } = withHanging('syncFolder', { hurry: controller.signal });
    const calling = refused(disk.syncFolder('chunks'));
    await vi.advanceTimersByTimeAsync(500);
    controller.abort();
    await vi.advanceTimersByTimeAsync(500);
    expect(await calling).toMatchObject(silent);
    release();
    await settle();
  });
});

describe('so many calls are under way at once at a disk', () => {
  it.each([
    [0, 4],
    [1, 2],
    [2, 1],
    [3, 1],
  ])('that with %i hanging disks a thread is left: %i', (hanging, most) => {
    expect(callsAtOnce(hanging)).toBe(most);
  });

  it('and the others wait for their turn, in their order', async () => {
    const inner = new MemoryDisk('disk2');
    const ends: (() => void)[] = [];
    const begun: string[] = [];
    inner.syncFolder = (path = '') => {
      begun.push(path);
      return new Promise((resolve) => ends.push(resolve));
    };
    const { disk } = patient(inner);
    const all = ['a', 'b', 'c', 'd'].map((path) => disk.syncFolder(path));
    await settle();
    expect(begun).toEqual(['a', 'b']);
    for (const count of [3, 4, 4, 4]) {
      ends.shift()?.();
      await settle();
      expect(begun).toHaveLength(count);
    }
    await Promise.all(all);
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('a disk that is only busy', () => {
  it('does not hang for those who wait for turns of others longer than their patience', async () => {
    const gate = new CallGate(() => 1);
    const second = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1000));
    const waiting = { milliseconds: LONG_MS, notice: 3000, onNotice: () => undefined };
    const call = (): Promise<string> =>
      gate.pass({
        call: () => gate.rest(gate.take(second)).then(() => 'done'),
        waiting,
        refusal: () => new Error('refused'),
      });
    const all = Promise.all(Array.from({ length: 60 }, call));
    await vi.advanceTimersByTimeAsync(61_000);
    expect(new Set(await all)).toEqual(new Set(['done']));
    expect(gate.isHanging).toBe(false);
  });

  it('hangs for them as for anybody where nothing comes back', async () => {
    const gate = new CallGate(() => 1);
    const waiting = { milliseconds: LONG_MS, notice: 3000, onNotice: () => undefined };
    const hang = deferred();
    const call = gate.pass({
      call: () => gate.rest(gate.take(() => hang.promise)),
      waiting,
      refusal: () => new Error('refused'),
    });
    const outcome = refused(call);
    await vi.advanceTimersByTimeAsync(LONG_MS + 1000);
    expect(await outcome).toMatchObject({ message: 'refused' });
    expect(gate.isHanging).toBe(true);
    hang.resolve();
  });

  it('answers other calls while it is flushed, and a flush that hangs is given up with words of its own', async () => {
    const { disk, said, release } = withHanging('flush', { limit: 1 });
    const outcome = refused(disk.flush());
    await vi.advanceTimersByTimeAsync(4000);
    expect(said).toEqual(['waiting for disk "disk2" to write back what it has been given']);
    expect(await disk.list('chunks')).toEqual([]);
    await vi.advanceTimersByTimeAsync(2 * LONG_MS);
    expect(await outcome).toMatchObject({ code: 'DISK_IO', details: { disk: 'disk2' } });
    expect(await disk.state()).toEqual(ONLINE);
    release();
  });
});
