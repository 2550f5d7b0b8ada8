import { sizeOf } from './content.ts';
import type { Operation } from './operations.ts';
import type { Random } from './random.ts';

export const BUCKETS = ['first', 'second'];

/** Few, so that operations meet; with what is hard to name in a file. */
const WRITTEN_KEYS = ['a', 'b', 'deep/er/c', 'deep/d', '.dot', 'p%q', 'ü/ö', 'z'.repeat(300)];

/** Keys of small objects that are written all at the same time: so many that each disk works on them together. */
const BURST_KEYS = Array.from({ length: 14 }, (_, index) => `burst/${index % 4}/${index}`);

/** Bytes of an object of a burst at most. */
const BURST_SIZE = 20 * 1024;

/** Keys that ambushes have for themselves: nobody else writes to them. */
export const AMBUSHED_KEYS = ['prey', 'deep/prey'];

export const KEYS = [...WRITTEN_KEYS, ...BURST_KEYS, ...AMBUSHED_KEYS];

/** Redundancies by the disks that they survive. */
const REDUNDANCIES = new Map([
  [1, ['1+1', '2+1', '1+2', '3+1', '2+2', '4+2']],
  [2, ['1+2', '2+2', '1+3', '3+2', '4+2']],
]);

/** What the store is to be, and what the workers are to do to it. */
export class Plan {
  /** Disks that every object survives the loss of. */
  readonly losses: number;
  /** Disks that there are at all times: enough for each of the redundancies. */
  readonly fewest: number;
  /** Disks at the beginning. */
  readonly disks: number;
  readonly redundancies: readonly string[];
  /** Whether workers are killed, or die, while nothing is hurt. */
  readonly isDeadly: boolean;

  constructor(random: Random) {
    this.losses = random.weigh([
      [2, 1],
      [1, 2],
    ]);
    this.fewest = this.losses === 1 ? random.between(3, 5) : random.between(4, 6);
    this.redundancies = (REDUNDANCIES.get(this.losses) ?? []).filter(
      (redundancy) => widthOf(redundancy) <= this.fewest,
    );
    this.disks = random.between(this.fewest, this.fewest + 2);
    this.isDeadly = random.chance(0.7);
  }

  /** What a worker does next, all at the same time. It follows from the seed alone, not from what happens. */
  chooseOperations(random: Random, seed: number): Operation[] {
    return random.chance(0.12) ? this.#chooseBurst(random, seed) : [this.#chooseOperation(random, seed)];
  }

  /** Mostly puts of small objects, and some deletes, so that both are done in groups. */
  #chooseBurst(random: Random, seed: number): Operation[] {
    const bucket = random.pick(BUCKETS);
    const redundancy = random.chance(0.5) ? { redundancy: random.pick(this.redundancies) } : {};
    const isDelete = random.chance(0.25);
    const seeds = smallSeeds(seed);
    return random.sample(BURST_KEYS, random.between(9, BURST_KEYS.length)).map((key): Operation => {
      if (isDelete && random.chance(0.8)) return { do: 'delete', bucket, key };
      return { do: 'put', bucket, key, seed: seeds.next().value, ...redundancy };
    });
  }

  #chooseOperation(random: Random, seed: number): Operation {
    const bucket = random.pick(BUCKETS);
    const what = random.weigh([
      [26, 'put'],
      [9, 'delete'],
      [30, 'get'],
      [14, 'range'],
      [6, 'head'],
      [5, 'list'],
      [3, 'verify'],
      [2, 'gc'],
      [1, 'heal'],
      [1, 'rebalance'],
    ] as const);
    const isWrite = what === 'put' || what === 'delete';
    const key = random.pick(isWrite ? WRITTEN_KEYS : KEYS);
    const death = isWrite && this.isDeadly && random.chance(0.02) ? { death: { after: random.between(1, 3) } } : {};
    switch (what) {
      case 'put': {
        const redundancy = random.chance(0.6) ? { redundancy: random.pick(this.redundancies) } : {};
        return { do: 'put', bucket, key, seed, slow: random.chance(0.15), ...redundancy, ...death };
      }
      case 'range':
        return {
          do: 'range',
          bucket,
          key,
          from: Math.floor(random.next() ** 3 * 2_500_000),
          count: random.between(1, 1_500_000),
        };
      case 'delete':
        return { do: what, bucket, key, ...death };
      case 'get':
      case 'head':
        return { do: what, bucket, key };
      case 'list':
        return { do: 'list', bucket, ...(random.chance(0.3) ? { prefix: 'deep/' } : {}) };
      case 'verify':
        return { do: 'verify', quick: random.chance(0.5) };
      case 'heal':
        return { do: 'heal', ...(random.chance(0.5) ? { bucket } : {}), dryRun: random.chance(0.3) };
      case 'gc':
      case 'rebalance':
        return { do: what };
    }
  }
}

/** Seeds of small contents that no other operation has. @param seed of the burst */
function* smallSeeds(seed: number): Generator<number, never> {
  for (let next = 10_000_000 + seed * 1000; ; next++) if (sizeOf(next) <= BURST_SIZE) yield next;
}

/** Disks that a stripe needs. */
function widthOf(redundancy: string): number {
  return redundancy.split('+').reduce((sum, part) => sum + Number(part), 0);
}
