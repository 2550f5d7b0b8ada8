import { describe, expect, it } from 'vitest';
import { Budget } from '../../src/concurrency/budget.ts';
import { deferred } from '../disks/deferred.ts';
import { fc } from '../metadata/property.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Works that last until the test ends them. */
class Works {
  readonly begun: number[] = [];
  inUse = 0;
  readonly #budget: Budget;
  readonly #ends: ReturnType<typeof deferred>[] = [];

  constructor(total: number) {
    this.#budget = new Budget(total);
  }

  begin(amount: number): Promise<void> {
    const number = this.#ends.length;
    const end = deferred();
    this.#ends.push(end);
    return this.#budget.spend(amount, async () => {
      this.begun.push(number);
      this.inUse += amount;
      await end.promise;
      this.inUse -= amount;
    });
  }

  async end(number: number): Promise<void> {
    this.#ends[number]?.resolve();
    await settle();
  }
}

describe('a budget of buffers', () => {
  it('lets works in as long as there are enough, and the others when enough have come back', async () => {
    const works = new Works(10);
    for (const amount of [4, 6, 3, 3]) void works.begin(amount);
    await settle();
    expect(works.begun).toEqual([0, 1]);
    await works.end(0);
    expect(works.begun).toEqual([0, 1, 2]);
    await works.end(1);
    expect(works.begun).toEqual([0, 1, 2, 3]);
  });

  it('lets nobody overtake one that needs many, so that it has its turn', async () => {
    const works = new Works(10);
    for (const amount of [6, 8, 1, 1]) void works.begin(amount);
    await settle();
    expect(works.begun).toEqual([0]);
    await works.end(0);
    expect(works.begun).toEqual([0, 1, 2, 3]);
  });

  it('gives all to one that needs more than there are, alone', async () => {
    const works = new Works(10);
    for (const amount of [1, 50, 1]) void works.begin(amount);
    await settle();
    expect(works.begun).toEqual([0]);
    await works.end(0);
    expect(works.begun).toEqual([0, 1]);
    await works.end(1);
    expect(works.begun).toEqual([0, 1, 2]);
  });

  it('has back what works that fail had, at once or later', async () => {
    const budget = new Budget(2);
    const fail = (): never => {
      throw new Error('at once');
    };
    for (let round = 0; round < 3; round++) {
      await expect(budget.spend(2, fail)).rejects.toThrow('at once');
      await expect(budget.spend(2, () => Promise.reject(new Error('later')))).rejects.toThrow('later');
    }
    expect(await budget.spend(2, () => Promise.resolve('in'))).toBe('in');
  });

  it('is never overspent, and nobody waits who could go on, first come, first served', async () => {
    const step = fc.oneof(fc.record({ amount: fc.integer({ min: 1, max: 8 }) }), fc.record({ end: fc.nat() }));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
        const works = new Works(8);
        const amounts: number[] = [];
        const ended = new Set<number>();
        for (const what of steps) {
          if ('amount' in what) {
            amounts.push(what.amount);
            void works.begin(what.amount);
            await settle();
          } else {
            const running = works.begun.filter((number) => !ended.has(number));
            const chosen = running[what.end % (running.length || 1)];
            if (chosen === undefined) continue;
            ended.add(chosen);
            await works.end(chosen);
          }
          expect(works.inUse).toBeLessThanOrEqual(8);
          expect(works.begun).toEqual(works.begun.map((_, index) => index));
          const next = amounts[works.begun.length];
          if (next !== undefined) expect(works.inUse + next).toBeGreaterThan(8);
        }
      }),
      { numRuns: 100 },
    );
  });
});
