import { describe, expect, it } from 'vitest';
import { DiskSet, type DiskRole } from '../../src/disks/disk-set.ts';
import { namesOf, stubDisks, type StubDisk } from './stub-disk.ts';

/** `disk1` up to `disk<count>` with roles, those in `away` gone. */
function setOf(
  count: number,
  roles: Record<string, DiskRole> = {},
  away: readonly string[] = [],
): { set: DiskSet; disks: StubDisk[] } {
  const disks = stubDisks(count);
  for (const disk of disks) if (away.includes(disk.name)) disk.leave();
  return { set: new DiskSet(disks, new Map(Object.entries(roles))), disks };
}

describe('the roles of disks', () => {
  it('are that of a plain member where nothing else is said', () => {
    const { set, disks } = setOf(3, { disk2: 'joining', disk3: 'draining' });
    expect(namesOf(disks).map((name) => set.roleOf(name))).toEqual(['member', 'joining', 'draining']);
    expect(set.roleOf('disk9')).toBe('member');
  });

  it('give every disk a vote but those that join', () => {
    const { set, disks } = setOf(4, { disk2: 'joining', disk3: 'draining' });
    expect(disks.filter((disk) => set.isVoter(disk)).map(({ name }) => name)).toEqual(['disk1', 'disk3', 'disk4']);
  });

  it('leave the quorums to the number of disks, so that old and new views of a store agree on them', () => {
    const { set } = setOf(5, { disk4: 'joining', disk5: 'draining' });
    expect([set.writeQuorum, set.readQuorum]).toEqual([3, 3]);
  });

  it('let a joining disk count for a write and not for a read', async () => {
    const { set } = setOf(3, { disk3: 'joining' }, ['disk2']);
    expect(namesOf((await set.lookForWriting()).online)).toEqual(['disk1', 'disk3']);
    await expect(set.lookForReading()).rejects.toMatchObject({
      code: 'TOO_FEW_DISKS_TO_READ',
      details: { expected: 2, found: 1 },
      message:
        '1 of 3 disks are online, a read needs 2: disk "disk3" is joining, disk "disk2" is missing (it was taken away)',
    });
  });

  it('let a joining disk be read from where a stale answer is allowed, even alone', async () => {
    const { set } = setOf(3, { disk3: 'joining' }, ['disk1', 'disk2']);
    expect(namesOf((await set.lookForReading(true)).online)).toEqual(['disk3']);
  });

  it('let a draining disk count for reads and writes', async () => {
    const { set } = setOf(3, { disk3: 'draining' }, ['disk2']);
    expect(namesOf((await set.lookForWriting()).online)).toEqual(['disk1', 'disk3']);
    expect(namesOf((await set.lookForReading()).online)).toEqual(['disk1', 'disk3']);
  });

  it('keep the promise of the quorums: whatever W disks took, R voters include one of them, with any disks joining', () => {
    for (let count = 1; count <= 7; count++) {
      for (let joining = 0; joining <= count; joining++) {
        const { set, disks } = setOf(
          count,
          Object.fromEntries(Array.from({ length: joining }, (_, index) => [`disk${index + 1}`, 'joining'])),
        );
        const voters = disks.filter((disk) => set.isVoter(disk)).length;
        // The worst case: all joining disks are among those that took the write.
        const holders = Math.max(0, set.writeQuorum - joining);
        if (voters >= set.readQuorum) expect(holders + set.readQuorum).toBeGreaterThan(voters);
      }
    }
  });
});

describe('confirming what a read did not find', () => {
  it('is refused where voters have gone meanwhile, and a joining disk does not stand in for them', async () => {
    const { set, disks } = setOf(3, { disk3: 'joining' });
    const view = await set.lookForReading();
    await set.confirm(view);
    disks[1]?.leave();
    await expect(set.confirm(view)).rejects.toMatchObject({
      code: 'TOO_FEW_DISKS_TO_READ',
      details: { expected: 2, found: 1 },
    });
    await set.confirm(view, true);
  });

  it('does not count disks that have come meanwhile: nobody has asked them', async () => {
    const { set, disks } = setOf(3, {}, ['disk3']);
    const view = await set.lookForReading();
    disks[2]?.comeBack();
    disks[1]?.leave();
    await expect(set.confirm(view)).rejects.toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ', details: { found: 1 } });
  });
});

describe('looking again before a commit', () => {
  it('goes on with the disks that have been there both times, and names the others once', async () => {
    const { set, disks } = setOf(5, {}, ['disk5']);
    const view = await set.lookForWriting();
    disks[4]?.comeBack();
    disks[1]?.leave();
    const narrowed = await set.narrow(view);
    expect(namesOf(narrowed.online)).toEqual(['disk1', 'disk3', 'disk4']);
    expect(narrowed.offline.map(({ disk }) => disk)).toEqual(['disk5', 'disk2']);
  });

  it('goes on with disks that are new in the store, and says of new ones that are away that they are', async () => {
    const disks = stubDisks(5);
    const view = await new DiskSet(disks.slice(0, 3)).lookForWriting();
    disks[4]?.leave();
    const narrowed = await new DiskSet(
      disks,
      new Map([
        ['disk4', 'joining'],
        ['disk5', 'joining'],
      ]),
    ).narrow(view);
    expect(namesOf(narrowed.online)).toEqual(['disk1', 'disk2', 'disk3', 'disk4']);
    expect(narrowed.offline.map(({ disk }) => disk)).toEqual(['disk5']);
  });

  it('goes on with a disk that the store now knows under a new object', async () => {
    const view = await new DiskSet(stubDisks(3)).lookForWriting();
    const again = stubDisks(3);
    expect((await new DiskSet(again).narrow(view)).online).toEqual(again);
  });

  it('forgets a disk that is no longer of the store, there or not', async () => {
    const disks = stubDisks(4);
    disks[3]?.leave();
    const view = await new DiskSet(disks).lookForWriting();
    const narrowed = await new DiskSet(disks.slice(0, 2)).narrow(view);
    expect(namesOf(narrowed.online)).toEqual(['disk1', 'disk2']);
    expect(narrowed.offline).toEqual([]);
  });

  it('is refused where too few have been there both times, though enough are there now', async () => {
    const { set, disks } = setOf(3, {}, ['disk3']);
    const view = await set.lookForWriting();
    disks[2]?.comeBack();
    disks[1]?.leave();
    await expect(set.narrow(view)).rejects.toMatchObject({
      code: 'TOO_FEW_DISKS_TO_WRITE',
      details: { expected: 2, found: 1 },
      message:
        '1 of 3 disks are online, a write needs 2: disk "disk3" is missing (it was taken away), disk "disk2" is missing (it was taken away)',
    });
  });

  it('is refused by the quorum of the disks that the store has now', async () => {
    const disks = stubDisks(5);
    const view = await new DiskSet(disks.slice(0, 3)).lookForWriting();
    for (const index of [2, 3, 4]) disks[index]?.leave();
    await expect(new DiskSet(disks).narrow(view)).rejects.toMatchObject({
      code: 'TOO_FEW_DISKS_TO_WRITE',
      details: { expected: 3, found: 2 },
    });
  });
});
