import { takeAway } from './away.ts';
import type { Clocks } from './clocks.ts';
import { sizeOf } from './content.ts';
import { Deck } from './deck.ts';
import { Worker, type Program } from './fleet.ts';
import type { Journal } from './journal.ts';
import type { Judge } from './judge.ts';
import type { Manager } from './manager.ts';
import type { Operation, Outcome } from './operations.ts';
import { begin, perform, type Performing } from './perform.ts';
import { AMBUSHED_KEYS, BUCKETS, KEYS, type Plan } from './plan.ts';
import type { Random } from './random.ts';

const HOUR = 3_600_000;

/** Seeds from here on are the ambushes'. */
const FIRST_SEED = 100_000_000;

interface Kind {
  /** How the last write, which must win, may fall behind. */
  last: 'slow put' | 'put with a clock behind' | 'delete with a clock behind';
  /** What dies half-way before it. */
  dead: 'put' | 'delete';
}

/** (After a dead delete, a delete might find nothing.) */
const KINDS: readonly Kind[] = [
  { last: 'slow put', dead: 'delete' },
  { last: 'slow put', dead: 'put' },
  { last: 'put with a clock behind', dead: 'delete' },
  { last: 'put with a clock behind', dead: 'put' },
  { last: 'delete with a clock behind', dead: 'put' },
];

function nameOf({ last, dead }: Kind): string {
  return `ambush: ${last} after a half-dead ${dead}`;
}

export const AMBUSH_NAMES = KINDS.map(nameOf);

interface Parts {
  root: string;
  /** Beside the store: where disks are that were taken away. */
  folder: string;
  program: Program;
  plan: Plan;
  random: Random;
  clocks: Clocks;
  journal: Journal;
  judge: Judge;
  manager: Manager;
}

interface Target {
  bucket: string;
  key: string;
}

/**
 * A write dies half-way, the disks that show what all others don't go away, and another write is acknowledged on those
 * that are left. When the disks come back, that one must count, whenever it began and whatever the clocks say.
 */
export class Ambushes {
  readonly #parts: Parts;
  readonly #kinds: Deck<Kind>;
  readonly #last: Worker;
  readonly #others: Worker;
  readonly #dying: Worker;
  #seeds = FIRST_SEED;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#kinds = new Deck(parts.random, KINDS);
    [this.#last, this.#others, this.#dying] = [
      new Worker(parts.program),
      new Worker(parts.program),
      new Worker(parts.program),
    ];
  }

  async kill(): Promise<void> {
    await Promise.all([this.#last, this.#others, this.#dying].map((worker) => worker.kill()));
  }

  /**
   * Springs one or some, by which only `disks` become stale: they count as hurt from then on. All disks must be there, and
   * none but these may be hurt.
   */
  async spring(disks: readonly string[]): Promise<void> {
    const { random, manager } = this.#parts;
    for (const worker of [this.#last, this.#others, this.#dying]) worker.start();
    const names = manager.diskNames();
    for (let left = random.between(1, 3); left > 0; left--) {
      // A write must be possible without them.
      const most = Math.min(disks.length, Math.ceil(names.length / 2) - 1);
      await this.#springOne(names, random.sample(disks, random.between(1, most)));
      this.#dying.start();
    }
  }

  async #springOne(names: readonly string[], stale: readonly string[]): Promise<void> {
    const { root, folder, random, journal } = this.#parts;
    const kind = this.#kinds.draw();
    const target = { bucket: random.pick(BUCKETS), key: random.pick(random.chance(0.7) ? AMBUSHED_KEYS : KEYS) };
    journal.note(`${nameOf(kind)} of ${target.bucket}/${target.key}, seen on ${stale.join(', ')} alone`);
    this.#setClocks(kind);

    const slow = kind.last === 'slow put' ? await this.#beginSlow(target) : undefined;
    const isSet = await this.#dieHalfWay(kind, target, stale, names);
    const backs = isSet ? stale.map((name) => takeAway(root, folder, name)) : [];
    journal.report.hurt += backs.length;
    try {
      const isWritten = slow === undefined ? await this.#write(kind, target) : await this.#finishSlow(slow);
      if (isSet && isWritten) journal.encounter(nameOf(kind));
      else journal.note('the ambush came to nothing');
      await this.#do(this.#others, { do: 'get', ...target });
    } finally {
      for (const back of backs) back();
    }
    await this.#do(this.#others, { do: 'get', ...target });
  }

  #setClocks({ last }: Kind): void {
    const { random, clocks } = this.#parts;
    const now = random.between(-2 * HOUR, 2 * HOUR);
    const ahead = last === 'slow put' && random.chance(0.7) ? 0 : random.between(5000, 4 * HOUR);
    clocks.set(this.#last, now);
    clocks.set(this.#others, now + ahead);
    clocks.set(this.#dying, now + ahead);
  }

  /** Something that is there, and something that dies over it. @returns whether it died */
  async #dieHalfWay(
    { dead }: Kind,
    target: Target,
    stale: readonly string[],
    names: readonly string[],
  ): Promise<boolean> {
    const fresh = names.filter((name) => !stale.includes(name));
    await this.#do(this.#others, this.#put(target));
    const death = dead === 'put' ? { after: stale.length, disks: stale } : { after: fresh.length, disks: fresh };
    const outcome = await this.#do(
      this.#dying,
      dead === 'put' ? { ...this.#put(target), death } : { do: 'delete', ...target, death },
    );
    return outcome === 'killed';
  }

  /** An upload of which nothing, or some, is written before the disks go. */
  async #beginSlow(target: Target): Promise<Performing> {
    const { random } = this.#parts;
    const put = this.#put(target);
    const hold = random.chance(0.6) ? 0 : random.between(0, sizeOf(put.seed));
    const slow = begin(this.#parts, this.#last, { ...put, hold });
    const held = await Promise.race([this.#last.do({ do: 'await hold', seed: put.seed }), slow.outcome]);
    if (held !== 'killed' && held.problem !== undefined)
      throw this.#parts.journal.failure(`an upload was not held back: ${held.problem}`);
    return slow;
  }

  async #finishSlow({ sent, outcome }: Performing): Promise<boolean> {
    const { operation } = sent;
    if (operation.do !== 'put') throw new Error('only an upload is slow');
    this.#parts.judge.release(sent);
    await this.#last.do({ do: 'release', seed: operation.seed });
    // What was written before may have been on those disks, and then it may be refused.
    return this.#expectDone(operation, await outcome, operation.hold === 0);
  }

  async #write({ last }: Kind, target: Target): Promise<boolean> {
    const operation =
      last === 'delete with a clock behind' ? ({ do: 'delete', ...target } as const) : this.#put(target);
    return this.#expectDone(operation, await this.#do(this.#last, operation), true);
  }

  /** Enough disks are there and well, so that nothing excuses a write that is refused. */
  #expectDone(operation: Operation, outcome: Outcome | 'killed', isNeeded: boolean): boolean {
    if (outcome === 'killed') throw new Error('nobody killed this worker');
    if (outcome.error === undefined) return true;
    const address = 'key' in operation ? `${operation.bucket}/${operation.key}` : undefined;
    // Others may have deleted the key.
    if (isNeeded && outcome.error.code !== 'NO_SUCH_KEY')
      throw this.#parts.journal.failure(
        `${operation.do} is refused, but enough disks are there: ${outcome.error.message}`,
        address,
      );
    return false;
  }

  #put(target: Target): Extract<Operation, { do: 'put' }> {
    const { random, plan } = this.#parts;
    return { do: 'put', ...target, seed: this.#seeds++, redundancy: random.pick(plan.redundancies) };
  }

  #do(worker: Worker, operation: Operation): Promise<Outcome | 'killed'> {
    return perform(this.#parts, worker, operation);
  }
}
