import { beforeEach, describe, expect, it, vi } from 'vitest';
import type * as calls from '../../src/files/calls.ts';
import { FolderSync } from '../../src/files/folder-sync.ts';

interface Running {
  path: string;
  end: (error?: Error) => void;
}

/** Syncs that have begun and wait for the test to end them. */
const running = vi.hoisted((): Running[] => []);

vi.mock('../../src/files/calls.ts', async (original) => ({
  ...(await original<typeof calls>()),
  syncFolderNow: (path: string) =>
    new Promise<void>((resolve, reject) => {
      running.push({
        path,
        end: (error) => {
          if (error === undefined) resolve();
          else reject(error);
        },
      });
    }),
}));

beforeEach(() => {
  running.length = 0;
});

/** Lets everything happen that is due. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('group sync of folders', () => {
  it('serves all who ask while a sync runs with one sync, which begins after they have asked', async () => {
    const folder = new FolderSync();
    const first = folder.sync('a');
    let served = 0;
    const later = Array.from({ length: 5 }, () => folder.sync('a').then(() => served++));
    expect(running).toHaveLength(1);
    running[0]?.end();
    await first;
    await settle();
    expect(running).toHaveLength(2);
    expect(served).toBe(0);
    running[1]?.end();
    await Promise.all(later);
    expect(running).toHaveLength(2);
  });

  it('begins a new sync for everyone who asks after one has begun, turn after turn', async () => {
    const folder = new FolderSync();
    const asked: Promise<void>[] = [folder.sync('a')];
    for (let turn = 1; turn <= 4; turn++) {
      asked.push(folder.sync('a'));
      running[turn - 1]?.end();
      await asked[turn - 1];
      await settle();
      expect(running).toHaveLength(turn + 1);
    }
    running[4]?.end();
    await Promise.all(asked);
  });

  it('starts at once when nothing runs', async () => {
    const folder = new FolderSync();
    for (let turn = 1; turn <= 3; turn++) {
      const sync = folder.sync('a');
      expect(running).toHaveLength(turn);
      running[turn - 1]?.end();
      await sync;
      await settle();
    }
  });

  it('syncs different folders side by side', async () => {
    const folder = new FolderSync();
    const both = [folder.sync('a'), folder.sync('b')];
    expect(running.map(({ path }) => path)).toEqual(['a', 'b']);
    for (const { end } of running) end();
    await Promise.all(both);
  });

  it('tells all who share a sync that it failed, and tries again only for those who ask anew', async () => {
    const folder = new FolderSync();
    const first = folder.sync('a');
    const second = folder.sync('a');
    const third = folder.sync('a');
    running[0]?.end(new Error('the first sync'));
    await expect(first).rejects.toThrow('the first sync');
    await settle();
    running[1]?.end(new Error('the second sync'));
    await expect(second).rejects.toThrow('the second sync');
    await expect(third).rejects.toThrow('the second sync');
    await settle();
    expect(running).toHaveLength(2);
    const fourth = folder.sync('a');
    expect(running).toHaveLength(3);
    running[2]?.end();
    await fourth;
  });
});
