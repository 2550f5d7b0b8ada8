import { describe, expect, it } from 'vitest';
import type { PatientDisk } from '../../src/disks/patient-disk.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { fc } from '../metadata/property.ts';
import { deferred } from './deferred.ts';
import { patient } from './patient.ts';

/** Lets every promise that can go on do so. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Withdrawn extends Error {}

/** Reads of one disk that are held up there until the test lets them go. */
class Reads {
  readonly entered: number[] = [];
  readonly withBuffer: number[] = [];
  readonly unwanted = new Set<number>();
  readonly #disk: PatientDisk;
  readonly #doors = new Map<number, ReturnType<typeof deferred>>();
  inside = 0;
  most = 0;

  constructor(atOnce: number) {
    const inner = new MemoryDisk('disk1');
    inner.read = async (path) => {
      const number = Number(path);
      this.entered.push(number);
      this.most = Math.max(this.most, ++this.inside);
      await this.#doors.get(number)?.promise;
      this.inside--;
      return Buffer.from(path);
    };
    this.#disk = patient(inner, { atOnce: () => atOnce });
  }

  async begin(number: number): Promise<number> {
    this.#doors.set(number, deferred());
    const buffer = (): Buffer => {
      if (this.unwanted.has(number)) throw new Withdrawn();
      this.withBuffer.push(number);
      return Buffer.alloc(10);
    };
    return Number(await this.#disk.read(String(number), { buffer }));
  }

  async end(number: number): Promise<void> {
    this.#doors.get(number)?.resolve();
    await settle();
  }
}

describe('reads that wait for their turn at a disk', () => {
  it.each([1, 2])('have no buffer before that, with %i turns', async (atOnce) => {
    const reads = new Reads(atOnce);
    const all = [0, 1, 2, 3, 4].map((number) => reads.begin(number));
    await settle();
    expect(reads.entered).toEqual([0, 1, 2, 3, 4].slice(0, atOnce));
    expect(reads.withBuffer).toEqual(reads.entered);
    for (const number of [0, 1, 2, 3, 4]) await reads.end(number);
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4]);
    expect(reads.most).toBe(atOnce);
  });

  it('have it in the order in which they came', async () => {
    const reads = new Reads(1);
    const all = Array.from({ length: 10 }, (_, number) => reads.begin(number));
    for (let number = 0; number < 10; number++) {
      await settle();
      expect(reads.entered).toEqual(Array.from({ length: number + 1 }, (_, entered) => entered));
      await reads.end(number);
    }
    await Promise.all(all);
  });

  it('let all other calls pass, but not without end', async () => {
    const inner = new MemoryDisk('disk1');
    const order: string[] = [];
    const first = deferred();
    inner.read = async (path) => {
      order.push('chunk');
      if (path === '0') await first.promise;
      return Buffer.alloc(1);
    };
    inner.stat = () => {
      order.push('look');
      return Promise.resolve(undefined);
    };
    const disk = patient(inner, { atOnce: () => 1 });
    const chunks = ['0', '1', '2'].map((path) => disk.read(path, { buffer: () => Buffer.alloc(2) }));
    const looks = Array.from({ length: 20 }, () => disk.stat('buckets/x'));
    first.resolve();
    await Promise.all([...chunks, ...looks]);
    expect(order.slice(0, 10)).toEqual(['chunk', ...Array.from({ length: 9 }, () => 'look')]);
    expect(order.lastIndexOf('look')).toBeGreaterThan(order.indexOf('chunk', 1));
    expect(order).toHaveLength(23);
  });

  it('keep nobody from another disk', async () => {
    const [reads, others] = [new Reads(1), new Reads(1)];
    void reads.begin(0);
    void reads.begin(1);
    const other = others.begin(2);
    await others.end(2);
    expect(await other).toBe(2);
    expect(reads.entered).toEqual([0]);
  });

  it('never happen where nobody wants them any more, and let those through who wait behind them', async () => {
    const reads = new Reads(1);
    const all = [0, 1, 2, 3].map((number) => reads.begin(number));
    reads.unwanted.add(1).add(2);
    const withdrawn = Promise.all(all.slice(1, 3).map((read) => expect(read).rejects.toThrow(Withdrawn)));
    await reads.end(0);
    await withdrawn;
    expect(reads.entered).toEqual([0, 3]);
    await reads.end(3);
    expect(await Promise.all([all[0], all[3]])).toEqual([0, 3]);
  });

  it('leave the disk free where nobody wants any of them', async () => {
    const reads = new Reads(1);
    void reads.begin(0);
    const withdrawn = Promise.all([1, 2, 3].map((number) => expect(reads.begin(number)).rejects.toThrow(Withdrawn)));
    reads.unwanted.add(1).add(2).add(3);
    await reads.end(0);
    await withdrawn;
    const next = reads.begin(4);
    await reads.end(4);
    expect(await next).toBe(4);
    expect(reads.entered).toEqual([0, 4]);
  });

  it('get it from those that fail too, at once or later', async () => {
    const inner = new MemoryDisk('disk1');
    const failing = deferred();
    inner.read = async (path) => {
      if (path === 'later') await failing.promise;
      if (path !== 'well') throw new Error(path);
      return Buffer.alloc(1);
    };
    const disk = patient(inner, { atOnce: () => 1 });
    for (let round = 0; round < 3; round++) await expect(disk.read('at once')).rejects.toThrow('at once');
    const first = expect(disk.read('later')).rejects.toThrow('later');
    const waiting = disk.read('well');
    failing.resolve();
    await first;
    expect(await waiting).toHaveLength(1);
  });

  it('are never more than the limit nor lose a turn, whoever comes, goes and is no longer wanted', async () => {
    const step = fc.record({ kind: fc.constantFrom('begin', 'begin', 'end', 'drop'), pick: fc.nat() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.constantFrom(1, 2), async (steps, limit) => {
        const reads = new Reads(limit);
        const open = new Set<number>();
        let number = 0;
        for (const { kind, pick } of steps) {
          const list = [...open];
          const chosen = list[pick % (list.length || 1)];
          if (kind === 'begin') {
            reads.begin(number).catch((error: unknown) => {
              expect(error).toBeInstanceOf(Withdrawn);
            });
            open.add(number++);
          } else if (chosen !== undefined && kind === 'end' && reads.entered.includes(chosen)) {
            await reads.end(chosen);
            open.delete(chosen);
          } else if (chosen !== undefined && kind === 'drop' && !reads.entered.includes(chosen)) {
            reads.unwanted.add(chosen);
            open.delete(chosen);
          }
          await settle();
          expect(reads.inside).toBe(Math.min(limit, open.size));
        }
        expect(reads.most).toBeLessThanOrEqual(limit);
        for (const dropped of reads.unwanted) expect(reads.entered).not.toContain(dropped);
        for (const left of open) await reads.end(left);
      }),
      { numRuns: 100 },
    );
  });
});
