import { setTimeout as sleep } from 'node:timers/promises';
import type { Clocks } from './clocks.ts';
import type { Course } from './course.ts';
import { Worker, type Program } from './fleet.ts';
import { TortureError, type Journal } from './journal.ts';
import type { Judge } from './judge.ts';
import type { Operation } from './operations.ts';
import { perform } from './perform.ts';
import type { Plan } from './plan.ts';
import { Random } from './random.ts';

const WORKERS = 3;

/** More than workers, so that operations overlap within a process too. */
const LANES = 6;

interface Parts {
  seed: number;
  program: Program;
  plan: Plan;
  course: Course;
  clocks: Clocks;
  journal: Journal;
  judge: Judge;
}

/** The workers, and the operations that they do, one after the other in each lane. */
export class Lanes {
  readonly #parts: Parts;
  readonly #workers: Worker[];
  #gate: Promise<void> | undefined;
  #openGate: () => void = () => undefined;
  #busy = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#workers = Array.from({ length: WORKERS }, () => parts.clocks.take(new Worker(parts.program)));
  }

  /** Resolves when the course is over, and the gate is open. */
  async run(): Promise<void> {
    const lanes = Array.from({ length: LANES }, (_, lane) => this.#runLane(lane));
    await Promise.all([...lanes, this.#killNowAndThen()]);
  }

  /** Holds the lanes back until the gate is opened again. Resolves when nothing is going on. */
  async close(): Promise<void> {
    this.#gate = new Promise((resolve) => {
      this.#openGate = () => {
        this.#gate = undefined;
        resolve();
      };
    });
    while (this.#busy > 0) await sleep(1);
  }

  open(): void {
    this.#openGate();
  }

  async kill(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
  }

  async #runLane(lane: number): Promise<void> {
    const { seed, plan, course } = this.#parts;
    const random = new Random(seed, `lane ${lane}`);
    const worker = this.#workers[lane % WORKERS];
    for (let turn = 0; !course.isOver(); turn++) {
      const operations = plan.chooseOperations(random, lane * 1_000_000 + turn);
      await this.#gate;
      if (course.isOver() || worker === undefined) return;
      this.#busy++;
      try {
        await Promise.all(operations.map((operation) => this.#perform(worker, operation)));
      } catch (error) {
        if (!(error instanceof TortureError)) throw error;
        course.fail(error);
      } finally {
        this.#busy--;
      }
    }
  }

  async #perform(worker: Worker, operation: Operation): Promise<void> {
    const { judge, journal } = this.#parts;
    const isDying = 'death' in operation;
    if (isDying) judge.excuseTorn();
    const outcome = await perform(this.#parts, worker, operation);
    if (isDying && outcome === 'killed') journal.encounter(`half-dead ${operation.do}`);
  }

  async #killNowAndThen(): Promise<void> {
    const { seed, plan, course, journal, judge } = this.#parts;
    if (!plan.isDeadly) return;
    const random = new Random(seed, 'kills');
    while (!course.isOver()) {
      await sleep(random.between(200, 2500));
      const worker = random.pick(this.#workers);
      if (worker.isIdle || course.isOver()) continue;
      journal.report.killed++;
      journal.note('kill a worker');
      judge.excuseTorn();
      await worker.kill();
    }
  }
}
