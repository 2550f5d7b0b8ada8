import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { callsUnderWay } from '../../src/concurrency/call-gate.ts';
import { PATIENCE_MS } from '../../src/concurrency/patience.ts';
import type { Disk, Failures, NewDocument, ReadOutcome, StatOutcome } from '../../src/disks/disk.ts';
import type { Owed } from '../../src/disks/patient-disk.ts';
import { StoreError } from '../../src/errors.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { FaultyDisk, type FaultyOperation } from '../support/faulty-disk.ts';
import { deferred } from './deferred.ts';
import { patient } from './patient.ts';

const MANY = 10;
const FEW = 3;
const LONG_MS = 12 * PATIENCE_MS;
const NOTHING: Failures = new Map();

const documents = (count: number): NewDocument[] =>
  Array.from({ length: count }, (_, index) => ({
    path: `buckets/${index}`,
    bytes: Buffer.from(`${index}`),
    id: `id-${index}`,
    within: 'buckets',
  }));
const pathsOf = (many: readonly NewDocument[]): string[] => many.map(({ path }) => path);
const indicesOf = (many: readonly NewDocument[]): number[] => [...many.keys()];

/** Changes that are owed, as all processes see them. */
function ledger(): Owed & { held: number } {
  return {
    held: 0,
    hold(over) {
      this.held++;
      void over.then(() => this.held--);
      return Promise.resolve();
    },
    isHeld() {
      return Promise.resolve(this.held > 0);
    },
  };
}

/** A disk of which the first call of an operation hangs until `release`; another process may look at it too. */
function withHanging(operation: FaultyOperation) {
  const hang = deferred();
  const owed = ledger();
  const inner = new MemoryDisk('disk2');
  const faulty = new FaultyDisk(inner, [{ operation, effect: { kind: 'hang', until: hang.promise } }]);
  return { owed, inner, disk: patient(faulty, { owed }), other: patient(inner, { owed }), release: hang.resolve };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const silent = { code: 'DISK_IO', details: { disk: 'disk2', fault: 'offline' } };

async function everything(disk: Disk): Promise<string[]> {
  const names = await Promise.all(
    ['buckets', 'tmp'].map(async (folder) => (await disk.list(folder)).map(({ name }) => `${folder}/${name}`)),
  );
  return names.flat().sort();
}

function expectAllSilent(failures: Failures): void {
  expect([...failures.keys()]).toEqual(indicesOf(documents(MANY)));
  for (const error of failures.values()) {
    expect(error).toMatchObject(silent);
    expect(error).not.toHaveProperty('details.path');
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('work on many files that hangs', () => {
  /** Waits until the call is given up, and not before. */
  async function givenUp<T>(calling: Promise<T>, milliseconds = LONG_MS): Promise<T> {
    let isTold = false;
    void calling.then(() => (isTold = true));
    await vi.advanceTimersByTimeAsync(milliseconds - 1);
    expect(isTold).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    return calling;
  }

  const changes: [FaultyOperation, (disk: Disk) => Promise<Failures>][] = [
    ['create', (disk) => disk.createMany(documents(MANY), { within: 'buckets', durable: true })],
    ['stage', async (disk) => (await disk.stageMany(documents(MANY), { durable: true })).failures],
    ['remove', (disk) => disk.removeMany(documents(MANY), { durable: true })],
    [
      'publish',
      async (disk) => (await disk.stageMany(documents(MANY), { durable: true })).publish(indicesOf(documents(MANY))),
    ],
    [
      'discard',
      async (disk) => (await disk.stageMany(documents(MANY), { durable: true })).discard(indicesOf(documents(MANY))),
    ],
  ];

  it.each(changes)('is given up, and owed until it returns; all processes see it: %s', async (operation, call) => {
    const { disk, other, inner, owed, release } = withHanging(operation);
    const before = callsUnderWay();
    expectAllSilent(await givenUp(call(disk)));
    expect(owed.held).toBe(1);
    expect(await other.state()).toMatchObject({ status: 'hanging' });
    const asked = [vi.spyOn(inner, 'list'), vi.spyOn(inner, 'readMany'), vi.spyOn(inner, 'read')];
    await expect(disk.list('buckets')).rejects.toMatchObject(silent);
    for (const count of [FEW, MANY])
      for (const outcome of await disk.readMany(pathsOf(documents(count))))
        expect(outcome).toMatchObject({ error: silent });
    for (const ask of asked) expect(ask).not.toHaveBeenCalled();
    expect(callsUnderWay()).toBe(before + 1);
    release();
    await settle();
    expect(owed.held).toBe(0);
    expect(await disk.state()).toMatchObject({ status: 'online' });
    expect(callsUnderWay()).toBe(before);
    expect(vi.getTimerCount()).toBe(0);
    if (operation !== 'publish') expect(await everything(inner)).toEqual([]);
  });

  it('removes what it has created or staged when it returns, and nothing that was there', async () => {
    for (const operation of ['create', 'stage'] as const) {
      const { disk, inner, release } = withHanging(operation);
      await inner.create('buckets/5', Buffer.from('mine'));
      const calling =
        operation === 'create'
          ? disk.createMany(documents(MANY), { within: 'buckets', durable: true })
          : disk.stageMany(documents(MANY), { durable: true });
      await givenUp<unknown>(calling);
      release();
      await settle();
      expect(await everything(inner)).toEqual(['buckets/5']);
      expect(String(await inner.read('buckets/5'))).toBe('mine');
    }
  });

  const looks: [FaultyOperation, (disk: Disk) => Promise<(ReadOutcome | StatOutcome)[]>][] = [
    ['read', (disk) => disk.readMany(pathsOf(documents(MANY)))],
    ['stat', (disk) => disk.statMany(pathsOf(documents(MANY)))],
  ];
  it.each(looks)('is given up, never taken for an answer, and owes nothing: %s', async (operation, call) => {
    const { disk, owed, release } = withHanging(operation);
    const outcomes = await givenUp(call(disk), LONG_MS / 2);
    expect(outcomes).toHaveLength(MANY);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ error: silent });
    expect(owed.held).toBe(0);
    release();
    await settle();
    expect(await call(disk)).toHaveLength(MANY);
  });

  it('is given up soon when whoever waits is interrupted, but not before it could have come to its end', async () => {
    const hang = deferred();
    const controller = new AbortController();
    const effect = { kind: 'hang', until: hang.promise } as const;
    const faulty = new FaultyDisk(new MemoryDisk('disk2'), [{ operation: 'create', effect }]);
    const disk = patient(faulty, { hurry: controller.signal });
    let isTold = false;
    const creating = disk.createMany(documents(MANY), { within: 'buckets', durable: true });
    void creating.then(() => (isTold = true));
    controller.abort();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1000);
    expect(isTold).toBe(false);
    await vi.advanceTimersByTimeAsync(1000);
    expectAllSilent(await creating);
    hang.resolve();
    await settle();
  });

  it('is refused at once where a call for one file hangs already', async () => {
    const { disk, release } = withHanging('list');
    const listing = disk.list('buckets').catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    expect(await listing).toMatchObject(silent);
    expectAllSilent(await disk.createMany(documents(MANY), { within: 'buckets', durable: true }));
    release();
    await settle();
    expect(await disk.createMany(documents(MANY), { within: 'buckets', durable: true })).toEqual(NOTHING);
  });
});

describe('work on many files', () => {
  it('takes no turn from calls for one, and waits for none', async () => {
    const hang = deferred();
    const inner = new MemoryDisk('disk2');
    const faulty = new FaultyDisk(inner, [{ operation: 'list', effect: { kind: 'hang', until: hang.promise } }]);
    const disk = patient(faulty, { atOnce: () => 1 });
    const listing = disk.list('buckets');
    expect(await disk.createMany(documents(MANY), { within: 'buckets', durable: true })).toEqual(NOTHING);
    let isTold = false;
    const few = disk.readMany(pathsOf(documents(FEW))).then(() => (isTold = true));
    await settle();
    expect(isTold).toBe(false);
    hang.resolve();
    await Promise.all([listing, few]);
  });

  it('is waited for longer while other such work comes back: the disk is busy then', async () => {
    const inner = new MemoryDisk('disk2');
    const first = deferred();
    const disk = patient(inner);
    vi.spyOn(inner, 'readMany').mockImplementationOnce(async () => {
      await first.promise;
      return [];
    });
    let isTold = false;
    const reading = disk.readMany(pathsOf(documents(MANY))).then(() => (isTold = true));
    for (let waited = 0; waited < 2 * LONG_MS; waited += 1000) {
      await disk.statMany(pathsOf(documents(MANY)));
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(isTold).toBe(false);
    first.resolve();
    await reading;
  });

  it('that lacks descriptors is each file’s failure, accuses no disk and never rejects', async () => {
    const inner = new MemoryDisk('disk2');
    const shortage = new StoreError('OUT_OF_RESOURCES', 'this process may not open more files at once');
    const disk = patient(inner);
    for (const call of ['readMany', 'statMany', 'createMany', 'stageMany', 'removeMany'] as const)
      vi.spyOn(inner, call).mockRejectedValue(shortage);
    const many = documents(MANY);
    const all = new Map(many.map((_, index) => [index, shortage]));
    expect(await disk.readMany(pathsOf(many))).toEqual(many.map(() => ({ error: shortage })));
    expect(await disk.statMany(pathsOf(many))).toEqual(many.map(() => ({ error: shortage })));
    expect(await disk.createMany(many, { within: 'buckets', durable: true })).toEqual(all);
    expect((await disk.stageMany(many, { durable: true })).failures).toEqual(all);
    expect(await disk.removeMany(many, { durable: true })).toEqual(all);
  });

  it('of few files goes by the calls for one', async () => {
    const inner = new MemoryDisk('disk2');
    const disk = patient(inner);
    const together = vi.spyOn(inner, 'createMany');
    expect(await disk.createMany(documents(FEW), { within: 'buckets', durable: true })).toEqual(NOTHING);
    expect(together).not.toHaveBeenCalled();
    expect(await everything(inner)).toEqual(pathsOf(documents(FEW)));
  });
});
