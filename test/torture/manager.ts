import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreDocument } from '../../src/index.ts';
import type { Clocks } from './clocks.ts';
import type { Course } from './course.ts';
import { Worker, type Program } from './fleet.ts';
import { tell, type Journal } from './journal.ts';
import type { Judge } from './judge.ts';
import { describeOperation, type Operation, type Outcome } from './operations.ts';
import type { Random } from './random.ts';

interface Parts {
  program: Program;
  random: Random;
  course: Course;
  clocks: Clocks;
  journal: Journal;
  judge: Judge;
}

/** The process that changes disks, heals and verifies, as the coordinator says. */
export class Manager {
  readonly #parts: Parts;
  readonly #worker: Worker;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#worker = parts.clocks.take(new Worker(parts.program));
  }

  /**
   * One step. Now and then the process is killed in its midst, and then it is done again. What others do at the same
   * time may be in its way, so not every error counts here: that all is well in the end, does.
   */
  async do(operation: Operation): Promise<Outcome> {
    const { random, course, journal, judge } = this.#parts;
    for (;;) {
      const isKilled = random.chance(0.3);
      const delay = Math.floor(random.next() ** 2 * 250);
      const doing = this.#worker.do(operation);
      if (isKilled) {
        await Promise.race([doing, sleep(delay)]);
        if (!this.#worker.isIdle) {
          journal.report.killed++;
          await this.#worker.kill();
        }
      }
      const outcome = await doing;
      journal.count(operation, outcome);
      journal.note(`${describeOperation(operation)}: ${tell(outcome)}`);
      course.check();
      if (outcome === 'killed') continue;
      judge.judgeManaged(operation, outcome);
      return outcome;
    }
  }

  /** A read that nothing disturbs. */
  async get(bucket: string, key: string): Promise<Outcome> {
    const outcome = await this.#worker.do({ do: 'get', bucket, key });
    if (outcome === 'killed') throw new Error('nobody killed the manager');
    return outcome;
  }

  async kill(): Promise<void> {
    await this.#worker.kill();
  }

  /** The store's disks as its document has them now: a killed step may have come to pass. */
  disks(): StoreDocument['disks'] {
    const document = JSON.parse(
      fs.readFileSync(path.join(this.#parts.program.root, 'store.json'), 'utf8'),
    ) as StoreDocument;
    return document.disks;
  }

  diskNames(): string[] {
    return this.disks().map(({ name }) => name);
  }

  isMember(name: string): boolean {
    return this.diskNames().includes(name);
  }
}
