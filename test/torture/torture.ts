import * as path from 'node:path';
import { ObjectStore } from '../../src/index.ts';
import { Ambushes } from './ambushes.ts';
import { missingCircumstances } from './circumstances.ts';
import { Clocks } from './clocks.ts';
import { Course } from './course.ts';
import { DiskChanges } from './disk-changes.ts';
import { DiskInjuries } from './disk-injuries.ts';
import { removeAll } from './files.ts';
import { Journal, type TortureReport } from './journal.ts';
import { Judge } from './judge.ts';
import { Lanes } from './lanes.ts';
import { Manager } from './manager.ts';
import { Model } from './model.ts';
import { OddInjuries } from './odd-injuries.ts';
import { OddThings } from './odd-things.ts';
import { BUCKETS, Plan } from './plan.ts';
import { Random } from './random.ts';
import { Wholeness } from './wholeness.ts';

export interface TortureOptions {
  seed: number;
  milliseconds: number;
  /** Where the store goes. */
  folder: string;
  /** The compiled worker, and the compiled library. */
  script: string;
  library: string;
  /** Told of every step of the coordinator. */
  log?: ((line: string) => void) | undefined;
}

/**
 * Random operations of several processes, while disks are hurt, against a model of what must be true. This is the
 * coordinator: round by round it changes and hurts disks, beside the workers, and then stops them and expects all to be
 * whole.
 */
export class Torture {
  readonly #random: Random;
  readonly #root: string;
  readonly #plan: Plan;
  readonly #course: Course;
  readonly #model = new Model();
  readonly #journal: Journal;
  readonly #judge: Judge;
  readonly #clocks: Clocks;
  readonly #lanes: Lanes;
  readonly #manager: Manager;
  readonly #changes: DiskChanges;
  readonly #injuries: DiskInjuries;
  readonly #ambushes: Ambushes;
  readonly #odd: OddThings;
  readonly #wholeness: Wholeness;

  constructor({ seed, milliseconds, folder, script, library, log }: TortureOptions) {
    const root = path.join(folder, 'store');
    const program = { script, library, root };
    this.#root = root;
    const random = (this.#random = new Random(seed, 'coordinator'));
    const plan = (this.#plan = new Plan(random));
    const course = (this.#course = new Course(milliseconds));
    const model = this.#model;
    const journal = (this.#journal = new Journal(seed, root, log));
    const judge = (this.#judge = new Judge(model, journal));
    const clocks = (this.#clocks = new Clocks(seed, journal));
    this.#lanes = new Lanes({ seed, program, plan, course, clocks, journal, judge });
    const manager = (this.#manager = new Manager({ program, random, course, clocks, journal, judge }));
    const changes = (this.#changes = new DiskChanges({ root, plan, random, course, journal, manager }));
    const ambushes = (this.#ambushes = new Ambushes({
      root,
      folder,
      program,
      plan,
      random,
      clocks,
      journal,
      judge,
      manager,
    }));
    const things = (this.#odd = new OddThings(folder));
    const odd = new OddInjuries({ random, journal, things });
    this.#injuries = new DiskInjuries({ root, folder, plan, random, course, journal, manager, changes, ambushes, odd });
    this.#wholeness = new Wholeness({ root, plan, random, model, journal, judge, manager, changes, things });
  }

  /** @throws TortureError */
  async run(): Promise<TortureReport> {
    try {
      await this.#prepare();
      const lanes = Promise.all([this.#lanes.run(), this.#clocks.run(this.#course)]);
      try {
        while (!this.#course.isTimeUp) await this.#runRound();
      } finally {
        this.#endLanes();
      }
      await lanes;
      this.#course.check();
      await this.#finish();
      const missing = missingCircumstances(this.#journal.report);
      if (missing.length > 0)
        throw this.#journal.failure(`in ${this.#journal.report.rounds} rounds it never came to: ${missing.join(', ')}`);
      return this.#journal.report;
    } catch (error) {
      // What a worker has found comes before what the coordinator came upon after it.
      throw this.#course.problem ?? error;
    } finally {
      this.#endLanes();
      await Promise.all([this.#lanes.kill(), this.#manager.kill(), this.#ambushes.kill()]);
    }
  }

  async #prepare(): Promise<void> {
    await this.#odd.prepare();
    const { disks, fewest, losses, redundancies } = this.#plan;
    const redundancy = this.#random.pick(redundancies);
    const durability = this.#random.weigh([
      [3, 'none'],
      [1, 'fsync'],
    ] as const);
    const store = await ObjectStore.init(this.#root, { disks, redundancy, durability });
    const [first = '', second = ''] = BUCKETS;
    await store.createBucket(first);
    await store.createBucket(second, { redundancy: this.#random.pick(redundancies) });
    this.#journal.note(`${disks} disks, at least ${fewest}, ${losses} may be lost; ${redundancy}, ${durability}`);
  }

  async #runRound(): Promise<void> {
    this.#journal.report.rounds++;
    const random = this.#random;
    if (random.chance(0.5)) await this.#course.liveFor(random.between(100, 600));
    if (random.chance(0.6)) {
      this.#judge.excuse('changing');
      await this.#changes.change();
      await this.#becomeWhole();
      if (this.#course.isTimeUp) return;
    }
    this.#judge.excuse('hurt');
    this.#model.forgetGlimpses();
    await this.#injuries.hurtSome();
    await this.#becomeWhole();
  }

  /** Stops the workers, heals, and checks that all is whole and as the model says. */
  async #becomeWhole(): Promise<void> {
    await this.#lanes.close();
    this.#course.check();
    try {
      await this.#wholeness.expect();
    } finally {
      this.#judge.expectCalm();
      this.#lanes.open();
    }
  }

  /** At the end as many disks as may be are lost, and everything is still there. */
  async #finish(): Promise<void> {
    this.#judge.excuse('hurt');
    await this.#wholeness.expect();
    const lost = this.#random.sample(this.#manager.diskNames(), this.#plan.losses);
    this.#journal.note(`lose ${lost.join(', ')} for good`);
    for (const name of lost) removeAll(path.join(this.#root, name));
    await this.#wholeness.readAll(false);
    for (const name of lost) await this.#changes.replace(name);
    await this.#wholeness.expect();
  }

  #endLanes(): void {
    this.#course.end();
    this.#lanes.open();
  }
}
