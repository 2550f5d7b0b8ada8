import { expect, it } from 'vitest';
import { seededBytes } from '../support/bytes.ts';
import { AREA, type DiskTest } from './disk-test.ts';

/** The part of the contract about how much a disk holds. */
export function describeRoom(test: DiskTest): void {
  it('tells how many bytes it holds and can still take, or that this has no bounds', async () => {
    const room = await test.disk.room();
    if (room === undefined) return;
    for (const bytes of [room.total, room.free]) {
      expect(Number.isSafeInteger(bytes)).toBe(true);
      expect(bytes).toBeGreaterThanOrEqual(0);
    }
    expect(room.total).toBeGreaterThanOrEqual(room.free);
    expect(room.total).toBeGreaterThan(0);
  });

  it('holds as much in all when something has been written as it did before', async () => {
    const before = await test.disk.room();
    await test.disk.create(`${AREA}/file`, seededBytes(100_000, 'room'), { durable: false });
    expect((await test.disk.room())?.total).toBe(before?.total);
  });
}
