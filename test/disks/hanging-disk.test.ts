import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DiskState } from '../../src/disks/disk.ts';
import { DiskSet } from '../../src/disks/disk-set.ts';
import { answerWithin, NO_ANSWER, PATIENCE_MS } from '../../src/disks/patience.ts';
import { namesOf, stubDisks } from './stub-disk.ts';

const ONLINE: DiskState = { status: 'online', reason: 'online' };

/** Three disks of which the second does not say what it is before `answer` is called. */
function withHanging() {
  const disks = stubDisks(3);
  const answers: ((state: DiskState) => void)[] = [];
  const [, silent] = disks;
  if (silent === undefined) throw new Error('there is no second disk');
  silent.answer = () => new Promise((resolve) => answers.push(resolve));
  return { disks, silent, set: new DiskSet(disks), answer: (state: DiskState) => answers.shift()?.(state) };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a disk that does not answer', () => {
  it('counts as hanging when patience is at its end, and not before; the others are online', async () => {
    const { set } = withHanging();
    let view: Awaited<ReturnType<DiskSet['look']>> | undefined;
    const looking = set.look().then((seen) => (view = seen));
    await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1);
    expect(view).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    const { online, offline } = await looking;
    expect(namesOf(online)).toEqual(['disk1', 'disk3']);
    expect(offline).toEqual([{ disk: 'disk2', state: { status: 'hanging', reason: 'it has not answered for 5 s' } }]);
  });

  it('is not asked again before it has answered, so that every later look is told at once', async () => {
    const { set, silent } = withHanging();
    const first = set.look();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    await first;
    for (let round = 0; round < 5; round++) expect((await set.look()).offline).toMatchObject([{ disk: 'disk2', state: { status: 'hanging' } }]);
    expect(silent.looks).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is asked again when it has answered, however late, and what it said then is not taken for news', async () => {
    const { set, silent, answer } = withHanging();
    const first = set.look();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    await first;
    answer(ONLINE);
    await vi.advanceTimersByTimeAsync(0);
    silent.leave();
    expect((await set.look()).offline).toMatchObject([{ disk: 'disk2', state: { status: 'missing' } }]);
    silent.comeBack();
    expect(namesOf((await set.look()).online)).toEqual(['disk1', 'disk2', 'disk3']);
    expect(silent.looks).toBe(3);
  });

  it('is online where it answers just in time', async () => {
    const { set, answer } = withHanging();
    const looking = set.look();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1);
    answer(ONLINE);
    expect((await looking).offline).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes part in neither quorum', async () => {
    const { set, disks } = withHanging();
    disks[2]?.leave();
    const writing = set.lookForWriting().catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    expect(await writing).toMatchObject({ code: 'TOO_FEW_DISKS_TO_WRITE', details: { expected: 2, found: 1 } });
    await expect(set.lookForReading()).rejects.toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ', message: expect.stringMatching(/disk "disk2" is hanging \(it has not answered for 5 s\)/) as string });
    expect(await set.areAllOnline()).toBe(false);
  });
});

describe('waiting for an answer', () => {
  it('gives what comes in time, a failure too, and leaves no timer behind', async () => {
    expect(await answerWithin(10, Promise.resolve('answer'))).toBe('answer');
    await expect(answerWithin(10, Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends when the time is up, and a failure that comes later is nobody\'s concern', async () => {
    let fail: (error: Error) => void = () => undefined;
    const waiting = answerWithin(10, new Promise<string>((_, reject) => (fail = reject)));
    await vi.advanceTimersByTimeAsync(10);
    expect(await waiting).toBe(NO_ANSWER);
    // An unhandled rejection would fail the run.
    fail(new Error('late'));
    await vi.advanceTimersByTimeAsync(0);
  });
});
