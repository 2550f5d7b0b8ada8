import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeOffline, DiskSet } from '../../src/disks/disk-set.ts';
import { DISK_MARK } from '../../src/disks/identity.ts';
import { makeDisks } from './make-disks.ts';

/** A set of `count` disks of which the last `away` are gone. */
function setOf(count: number, away: number): DiskSet {
  const made = makeDisks(count);
  for (const { root } of made.slice(count - away)) rmSync(root, { recursive: true });
  return new DiskSet(made.map(({ disk }) => disk));
}

describe('a set of disks', () => {
  it.each([
    [1, 1, 1],
    [2, 2, 1],
    [3, 2, 2],
    [4, 3, 2],
    [5, 3, 3],
    [6, 4, 3],
    [7, 4, 4],
  ])('of %i has write quorum %i and read quorum %i, which always meet', (count, write, read) => {
    const set = setOf(count, 0);
    expect([set.writeQuorum, set.readQuorum]).toEqual([write, read]);
    expect(set.writeQuorum + set.readQuorum).toBeGreaterThan(count);
  });

  it('tells which of its disks are online, in their order, and why the others are not', async () => {
    const made = makeDisks(4);
    rmSync(made[1]?.root ?? '', { recursive: true });
    rmSync(join(made[2]?.root ?? '', DISK_MARK));
    const view = await new DiskSet(made.map(({ disk }) => disk)).look();
    expect(view.online.map(({ name }) => name)).toEqual(['disk1', 'disk4']);
    expect(view.offline.map(({ disk, state }) => [disk, state.status])).toEqual([
      ['disk2', 'missing'],
      ['disk3', 'unmarked'],
    ]);
    expect(describeOffline(view.offline)).toBe(
      'disk "disk2" is missing (there is no such folder), disk "disk3" is unmarked (there is no disk.json in it, but other files are)',
    );
  });

  for (let count = 1; count <= 5; count++) {
    for (let away = 0; away <= count; away++) {
      const online = count - away;
      const writes = online >= Math.floor(count / 2) + 1;
      const reads = online >= Math.ceil(count / 2);
      it(`with ${online} of ${count} disks online ${writes ? 'takes' : 'refuses'} writes and ${reads ? 'takes' : 'refuses'} reads`, async () => {
        const set = setOf(count, away);
        const facts = { name: 'StoreError', details: { found: online } };
        const writing = set.lookForWriting();
        if (writes) expect((await writing).online).toHaveLength(online);
        else
          await expect(writing).rejects.toMatchObject({
            ...facts,
            code: 'TOO_FEW_DISKS_TO_WRITE',
            details: { expected: set.writeQuorum },
          });
        const reading = set.lookForReading();
        if (reads) expect((await reading).online).toHaveLength(online);
        else
          await expect(reading).rejects.toMatchObject({
            ...facts,
            code: 'TOO_FEW_DISKS_TO_READ',
            details: { expected: set.readQuorum },
          });
        const stale = set.lookForReading(true);
        if (online > 0) expect((await stale).online).toHaveLength(online);
        else await expect(stale).rejects.toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ' });
      });
    }
  }

  it('names the disks that are away in its refusal', async () => {
    await expect(setOf(3, 2).lookForWriting()).rejects.toThrow(/disk "disk2" is missing .* disk "disk3" is missing/);
    await expect(setOf(3, 2).lookForReading()).rejects.toThrow(/disk "disk2" is missing .* disk "disk3" is missing/);
  });
});
