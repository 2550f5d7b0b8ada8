import { describe, expect, it } from 'vitest';
import type { Disk, DiskRoom } from '../../src/disks/disk.ts';
import { FaultyDisk } from '../support/faulty-disk.ts';
import { reserveOf, roomOf, Rooms } from '../../src/disks/rooms.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** A disk with so much room, and how often it was asked. */
class RoomyDisk extends MemoryDisk {
  asked = 0;
  answer: DiskRoom | undefined;

  constructor(name: string, answer?: DiskRoom) {
    super(name);
    this.answer = answer;
  }

  override room(): Promise<undefined> {
    this.asked++;
    return Promise.resolve(this.answer) as Promise<undefined>;
  }
}

describe('the reserve of a disk', () => {
  it.each([
    [0, 0],
    [100 * MIB, 2 * MIB],
    [49 * GIB, 0.98 * GIB],
    [50 * GIB, GIB],
    [51 * GIB, GIB],
    [20_000 * GIB, GIB],
  ])('of %i bytes is %f bytes: two in a hundred, and 1 GiB at most', (total, reserve) => {
    expect(reserveOf(total)).toBeCloseTo(reserve, 3);
  });
});

describe('the room of a disk for chunks', () => {
  it.each([
    ['what is free without the reserve', { total: 1000 * MIB, free: 300 * MIB }, 280 * MIB],
    ['nothing where all that is free is the reserve', { total: 1000 * MIB, free: 20 * MIB }, 0],
    ['nothing, and not less, where even the reserve is in use', { total: 1000 * MIB, free: 5 * MIB }, 0],
    ['nothing where no more files can be made', { total: 1000 * MIB, free: 0 }, 0],
    ['nothing on a disk of no size', { total: 0, free: 0 }, 0],
    ['without bounds where the disk knows none', undefined, Infinity],
  ])('is %s', async (_, answer, expected) => {
    expect(await roomOf(new RoomyDisk('memory1', answer))).toBe(expected);
  });

  it('is nothing where the disk fails to tell it: a disk that cannot answer that takes no chunks', async () => {
    const disk = new FaultyDisk(new RoomyDisk('memory1'), [
      { operation: 'room', effect: { kind: 'fail', errno: 'EIO' } },
    ]);
    expect(await roomOf(disk)).toBe(0);
    expect(await roomOf(disk)).toBe(Infinity);
    disk.expectAllFired();
  });

  it('is not made up where the program has a mistake', async () => {
    const disk = new RoomyDisk('memory1');
    disk.room = () => Promise.reject(new TypeError('a mistake'));
    await expect(roomOf(disk)).rejects.toThrow(TypeError);
    await expect(Rooms.of([disk])).rejects.toThrow(TypeError);
  });
});

describe('rooms while they are written to', () => {
  const total = 1000 * MIB;

  it('become smaller by every byte that is about to be written, disk by disk, at once', async () => {
    const [a, b] = [new RoomyDisk('a', { total, free: 120 * MIB }), new RoomyDisk('b', { total, free: 50 * MIB })];
    const rooms = await Rooms.of([a, b]);
    expect([rooms.left(a), rooms.left(b)]).toEqual([100 * MIB, 30 * MIB]);
    const taken = rooms.take(a, 7);
    expect([rooms.left(a), rooms.left(b)]).toEqual([100 * MIB - 7, 30 * MIB]);
    await taken;
    await rooms.take(b, 11);
    expect([rooms.left(a), rooms.left(b)]).toEqual([100 * MIB - 7, 30 * MIB - 11]);
  });

  it('are asked for once at the beginning, and anew when 64 MiB have been taken of all disks together', async () => {
    const disks = [
      new RoomyDisk('a', { total, free: 520 * MIB }),
      new RoomyDisk('b', { total, free: 520 * MIB }),
    ] as const;
    const rooms = await Rooms.of(disks);
    for (let taken = 0; taken < 63; taken++) await rooms.take(disks[taken % 2 === 0 ? 0 : 1], MIB);
    expect(disks.map(({ asked }) => asked)).toEqual([1, 1]);
    expect(rooms.left(disks[0])).toBe(468 * MIB);
    // Somebody else has filled the first disk up meanwhile.
    disks[0].answer = { total, free: 21 * MIB };
    await rooms.take(disks[1], MIB);
    expect(disks.map(({ asked }) => asked)).toEqual([2, 2]);
    expect([rooms.left(disks[0]), rooms.left(disks[1])]).toEqual([MIB, 500 * MIB]);
    await rooms.take(disks[1], MIB);
    expect(disks.map(({ asked }) => asked)).toEqual([2, 2]);
  });

  it('stay without bounds whatever is written, and are nothing on a disk that nobody asked about', async () => {
    const endless = new RoomyDisk('a');
    const rooms = await Rooms.of([endless]);
    await rooms.take(endless, 5 * GIB);
    expect(rooms.left(endless)).toBe(Infinity);
    const stranger: Disk = new RoomyDisk('b');
    expect(rooms.left(stranger)).toBe(0);
  });

  it('are nothing on a disk that fails when it is asked anew', async () => {
    const disk = new FaultyDisk(new RoomyDisk('a', { total, free: 520 * MIB }), [
      { operation: 'room', nth: 2, effect: { kind: 'fail', errno: 'EIO' } },
    ]);
    const rooms = await Rooms.of([disk]);
    await rooms.take(disk, 64 * MIB);
    expect(rooms.left(disk)).toBe(0);
    disk.expectAllFired();
  });
});
