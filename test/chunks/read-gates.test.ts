import { describe, expect, it } from 'vitest';
import { ReadGates } from '../../src/chunks/read-gates.ts';
import { deferred } from '../disks/deferred.ts';
import { fc } from '../metadata/property.ts';

/** Lets every promise that can go on do so. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Reads that are held up inside until the test lets them go. */
class Reads {
  readonly entered: number[] = [];
  readonly unwanted = new Set<number>();
  readonly #gates: ReadGates;
  readonly #doors = new Map<number, ReturnType<typeof deferred>>();
  inside = 0;
  most = 0;

  constructor(gates: ReadGates) {
    this.#gates = gates;
  }

  begin(number: number, disk = 'disk1'): Promise<number> {
    const door = deferred();
    this.#doors.set(number, door);
    return this.#gates.pass(
      disk,
      () => this.unwanted.has(number),
      async () => {
        this.entered.push(number);
        this.most = Math.max(this.most, ++this.inside);
        await door.promise;
        this.inside--;
        return number;
      },
    );
  }

  async end(number: number): Promise<void> {
    this.#doors.get(number)?.resolve();
    await settle();
  }
}

describe('the gates of disks', () => {
  it.each([
    [1, 2],
    [2, 1],
    [3, 1],
    [31, 1],
  ])(
    'let with %i rows of parity %i reads of a disk in at once, so that as many disks may hang and a thread is left',
    async (parity, limit) => {
      const reads = new Reads(new ReadGates(parity));
      const all = [0, 1, 2, 3, 4].map((number) => reads.begin(number));
      await settle();
      expect(reads.entered).toEqual([0, 1, 2, 3, 4].slice(0, limit));
      for (const number of [0, 1, 2, 3, 4]) await reads.end(number);
      expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4]);
      expect(reads.most).toBe(limit);
    },
  );

  it('let everybody in where there is no parity: nothing else could be read instead', async () => {
    const reads = new Reads(new ReadGates(0));
    const all = Array.from({ length: 50 }, (_, number) => reads.begin(number));
    await settle();
    expect(reads.inside).toBe(50);
    for (let number = 0; number < 50; number++) await reads.end(number);
    await Promise.all(all);
  });

  it('let reads in in the order in which they came', async () => {
    const reads = new Reads(new ReadGates(2));
    const all = Array.from({ length: 10 }, (_, number) => reads.begin(number));
    for (let number = 0; number < 10; number++) {
      await settle();
      expect(reads.entered).toEqual(Array.from({ length: number + 1 }, (_, entered) => entered));
      await reads.end(number);
    }
    await Promise.all(all);
  });

  it('keep the disks apart: a disk that hangs keeps nobody from another', async () => {
    const reads = new Reads(new ReadGates(2));
    void reads.begin(0, 'disk1');
    void reads.begin(1, 'disk1');
    const other = reads.begin(2, 'disk2');
    await reads.end(2);
    expect(await other).toBe(2);
    expect(reads.entered).toEqual([0, 2]);
  });

  it('pass over those that nobody wants any more, and never run them', async () => {
    const reads = new Reads(new ReadGates(2));
    const all = [0, 1, 2, 3].map((number) => reads.begin(number));
    reads.unwanted.add(1).add(2);
    await reads.end(0);
    expect(reads.entered).toEqual([0, 3]);
    await reads.end(3);
    expect(await Promise.all([all[0], all[3]])).toEqual([0, 3]);
  });

  it('are free again when nobody who waits is wanted', async () => {
    const reads = new Reads(new ReadGates(2));
    void reads.begin(0);
    for (const number of [1, 2, 3]) void reads.begin(number);
    reads.unwanted.add(1).add(2).add(3);
    await reads.end(0);
    const next = reads.begin(4);
    await reads.end(4);
    expect(await next).toBe(4);
    expect(reads.entered).toEqual([0, 4]);
  });

  it('are left by those that fail, at once or later', async () => {
    const gates = new ReadGates(2);
    const fail = (): never => {
      throw new Error('at once');
    };
    for (let round = 0; round < 3; round++) {
      await expect(gates.pass('disk1', () => false, fail)).rejects.toThrow('at once');
      await expect(
        gates.pass(
          'disk1',
          () => false,
          () => Promise.reject(new Error('later')),
        ),
      ).rejects.toThrow('later');
    }
    expect(
      await gates.pass(
        'disk1',
        () => false,
        () => Promise.resolve('in'),
      ),
    ).toBe('in');
    const failing = deferred();
    const first = gates.pass(
      'disk1',
      () => false,
      async () => {
        await failing.promise;
        throw new Error('while another waits');
      },
    );
    const waiting = gates.pass(
      'disk1',
      () => false,
      () => Promise.resolve('in'),
    );
    failing.resolve();
    await expect(first).rejects.toThrow('while another waits');
    expect(await waiting).toBe('in');
  });

  it('never let in more than the limit nor lose a place, whoever comes, goes and is no longer wanted', async () => {
    const step = fc.record({ kind: fc.constantFrom('begin', 'begin', 'end', 'drop'), pick: fc.nat() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.constantFrom(1, 2), async (steps, parity) => {
        const limit = parity === 1 ? 2 : 1;
        const reads = new Reads(new ReadGates(parity));
        const open = new Set<number>();
        let number = 0;
        for (const { kind, pick } of steps) {
          const list = [...open];
          const chosen = list[pick % (list.length || 1)];
          if (kind === 'begin') {
            void reads.begin(number);
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
      }),
      { numRuns: 100 },
    );
  });
});
