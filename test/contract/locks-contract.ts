import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LockAccess, LockMode, Locks, LockSession } from '../../src/locks/locks.ts';

/** A lock held by another process. */
export interface Holder {
  /** Resolves once the process has the lock. */
  held: Promise<void>;
  /** Ends the process as it ends itself. */
  release(): Promise<void>;
  /** Kills the process with SIGKILL, and resolves when it is dead. */
  kill(): Promise<void>;
}

export interface LocksUnderTest {
  locks: Locks;
  /** Another process of the same store that takes the lock and holds it. */
  hold(name: string, mode: LockMode): Holder;
}

const NAME = 'key my-bucket/demo.txt';

/** The contract of `src/locks/locks.ts` as tests. @param make locks that nobody holds yet */
export function describeLocks(name: string, make: () => LocksUnderTest): void {
  describe(`contract of locks: ${name}`, () => {
    let under: LocksUnderTest;
    let sessions: LockSession[];
    const open = async (access: LockAccess = 'write'): Promise<LockSession> => {
      const session = await under.locks.open(access);
      sessions.push(session);
      return session;
    };
    beforeEach(() => {
      under = make();
      sessions = [];
    });
    afterEach(async () => {
      for (const session of sessions) await session.close();
    });

    it('shows a mark in the stamps of all sessions, however soon it follows, and none where none was left', async () => {
      const [first, second] = [await open(), await open('read')];
      for (let times = 0; times < 20; times++) {
        const before = await second.stamp();
        expect(await first.stamp()).toBe(before);
        await first.mark();
        expect(await second.stamp()).not.toBe(before);
      }
    });

    it.each([
      ['shared', 'shared', true],
      ['shared', 'exclusive', false],
      ['exclusive', 'shared', false],
      ['exclusive', 'exclusive', false],
    ] as const)('a session that holds a name %s lets another one have it %s: %s', async (mine, yours, goes) => {
      const [first, second] = [await open(), await open()];
      expect(first.effective && second.effective).toBe(true);
      expect(first.tryLock(NAME, mine)).toBe(true);
      expect(second.tryLock(NAME, yours)).toBe(goes);
      first.unlock(NAME);
      expect(second.tryLock(NAME, yours)).toBe(true);
    });

    it('different names do not meet', async () => {
      const [first, second] = [await open(), await open()];
      for (let index = 0; index < 200; index++) {
        expect(first.tryLock(`name ${index}`, 'exclusive')).toBe(true);
        expect(second.tryLock(`other ${index}`, 'exclusive')).toBe(true);
      }
    });

    it('a session changes the mode of a name that it holds, both ways', async () => {
      const [first, second] = [await open(), await open()];
      expect(first.tryLock(NAME, 'exclusive')).toBe(true);
      expect(first.tryLock(NAME, 'shared')).toBe(true);
      expect(second.tryLock(NAME, 'shared')).toBe(true);
      second.unlock(NAME);
      expect(first.tryLock(NAME, 'exclusive')).toBe(true);
      expect(second.tryLock(NAME, 'shared')).toBe(false);
    });

    it('a change to exclusive fails while another session shares, and the session keeps what it had', async () => {
      const [first, second, third] = [await open(), await open(), await open()];
      expect(first.tryLock(NAME, 'shared')).toBe(true);
      expect(second.tryLock(NAME, 'shared')).toBe(true);
      expect(first.tryLock(NAME, 'exclusive')).toBe(false);
      second.unlock(NAME);
      expect(third.tryLock(NAME, 'exclusive')).toBe(false);
    });

    it('a read session shares with read and write sessions, and keeps others from having the name alone', async () => {
      const [reader, other, writer] = [await open('read'), await open('read'), await open('write')];
      expect(reader.tryLock(NAME, 'shared')).toBe(true);
      expect(other.tryLock(NAME, 'shared')).toBe(true);
      expect(writer.tryLock(NAME, 'exclusive')).toBe(false);
    });

    it('unlocking frees one name and not the others, and unlocking what is not held does nothing', async () => {
      const [first, second] = [await open(), await open()];
      first.tryLock('one', 'exclusive');
      first.tryLock('two', 'exclusive');
      second.unlock('one');
      expect(second.tryLock('one', 'exclusive')).toBe(false);
      first.unlock('one');
      expect(second.tryLock('one', 'exclusive')).toBe(true);
      expect(second.tryLock('two', 'exclusive')).toBe(false);
    });

    it('closing a session frees everything that it holds, and nothing that others hold', async () => {
      const [first, second, third] = [await open(), await open(), await open()];
      first.tryLock('one', 'exclusive');
      first.tryLock('two', 'shared');
      second.tryLock('three', 'exclusive');
      await first.close();
      expect(third.tryLock('one', 'exclusive')).toBe(true);
      expect(third.tryLock('two', 'exclusive')).toBe(true);
      expect(third.tryLock('three', 'exclusive')).toBe(false);
    });

    it('waits for a lock and gets it when it is free', async () => {
      const [first, second] = [await open(), await open()];
      await first.lock(NAME, 'exclusive');
      let got = false;
      const waiting = second.lock(NAME, 'exclusive').then(() => (got = true));
      await turn();
      expect(got).toBe(false);
      first.unlock(NAME);
      await waiting;
      expect(first.tryLock(NAME, 'shared')).toBe(false);
    });

    it('lets every one of many waiting sessions have its turn alone', async () => {
      let inside = 0;
      let most = 0;
      let counter = 0;
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const session = await open();
          await session.lock(NAME, 'exclusive');
          most = Math.max(most, ++inside);
          const seen = counter;
          await turn();
          counter = seen + 1;
          inside--;
          session.unlock(NAME);
        }),
      );
      expect([most, counter]).toEqual([1, 20]);
    });

    it('ends the wait for a lock with ABORTED, and then holds nothing', async () => {
      const [first, second] = [await open(), await open()];
      await first.lock(NAME, 'exclusive');
      const reason = new Error('Ctrl-C');
      await expect(second.lock(NAME, 'exclusive', AbortSignal.abort(reason))).rejects.toMatchObject({
        code: 'ABORTED',
        cause: reason,
      });
      const controller = new AbortController();
      const waiting = second.lock(NAME, 'exclusive', controller.signal);
      await turn();
      controller.abort(reason);
      await expect(waiting).rejects.toMatchObject({ name: 'StoreError', code: 'ABORTED', cause: reason });
      first.unlock(NAME);
      expect(first.tryLock(NAME, 'exclusive')).toBe(true);
    });

    it('many sessions hold a lock of a group at once, and who looks, with a read session too, sees whether any does', async () => {
      const [reader, looker, holder, other] = [await open('read'), await open('read'), await open(), await open()];
      expect([reader.isAnyHeld('group'), looker.isAnyHeld('group')]).toEqual([false, false]);
      expect([holder.tryOne('group'), other.tryOne('group')]).toEqual([true, true]);
      expect([reader.isAnyHeld('group'), looker.isAnyHeld('group'), reader.isAnyHeld('another')]).toEqual([
        true,
        true,
        false,
      ]);
      await holder.close();
      expect(reader.isAnyHeld('group')).toBe(true);
      await other.close();
      expect(reader.isAnyHeld('group')).toBe(false);
    });

    it('waits for a lock for so long, and says that it has not got it', async () => {
      const [holder, waiter] = [await open(), await open()];
      await holder.lock(NAME, 'exclusive');
      expect(await waiter.lockWithin(10, NAME, 'shared')).toBe(false);
      holder.unlock(NAME);
      expect(await waiter.lockWithin(10, NAME, 'shared')).toBe(true);
    });

    it('is current while nobody touches what the locks are kept in', async () => {
      expect(await (await open('read')).isCurrent()).toBe(true);
      expect(await (await open('write')).isCurrent()).toBe(true);
    });

    it('meets the locks of other processes: shared goes with shared, exclusive with nothing', async () => {
      const shared = under.hold('shared by both', 'shared');
      const alone = under.hold('held alone', 'exclusive');
      await Promise.all([shared.held, alone.held]);
      const session = await open();
      expect(session.tryLock('shared by both', 'shared')).toBe(true);
      expect(session.tryLock('shared by both', 'exclusive')).toBe(false);
      expect(session.tryLock('held alone', 'shared')).toBe(false);
      await Promise.all([shared.release(), alone.release()]);
      expect(session.tryLock('shared by both', 'exclusive')).toBe(true);
      expect(session.tryLock('held alone', 'exclusive')).toBe(true);
    });

    it('makes another process wait, which gets the lock when it is free', async () => {
      const session = await open();
      await session.lock(NAME, 'exclusive');
      const other = under.hold(NAME, 'exclusive');
      session.unlock(NAME);
      await other.held;
      expect(session.tryLock(NAME, 'shared')).toBe(false);
      await other.release();
      await session.lock(NAME, 'exclusive');
    });

    it('frees the lock of a process that is killed with SIGKILL, before anybody could tell that it is dead', async () => {
      const holder = under.hold(NAME, 'exclusive');
      await holder.held;
      const session = await open();
      expect(session.tryLock(NAME, 'exclusive')).toBe(false);
      await holder.kill();
      expect(session.tryLock(NAME, 'exclusive')).toBe(true);
    });
  });
}
