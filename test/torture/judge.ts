import type { Journal, TortureError } from './journal.ts';
import type { Model, Write } from './model.ts';
import { describeOperation, describeOutcome, type Operation, type Outcome } from './operations.ts';
import { KEYS } from './plan.ts';

/** Errors of a write that a hurt disk may lead to. */
const EXCUSED = new Set(['TOO_FEW_DISKS_TO_WRITE', 'DISK_IO', 'DISK_FULL', 'BAD_REDUNDANCY']);

/** Errors of a change of disks beside others, after which it is tried again. */
const EXCUSED_CHANGES = new Set([
  'DISK_NEEDED',
  'DISK_EXISTS',
  'DISK_IO',
  'NO_SUCH_DISK',
  'TOO_FEW_DISKS_TO_WRITE',
  'TOO_FEW_DISKS_TO_READ',
  'META_DAMAGED',
]);

/** What looks at all disks: one that is odd or can't be read must not end it for the others. */
const LOOKS_AT_ALL = new Set<Operation['do']>(['list', 'verify', 'heal', 'gc', 'usage']);

/** Errors of these, where too few disks are there to begin with. */
const EXCUSED_LOOKS = new Set(['TOO_FEW_DISKS_TO_WRITE', 'TOO_FEW_DISKS_TO_READ']);

/** `calm`: nothing is hurt, and no disk comes or goes, so everything must succeed. */
export type Mood = 'calm' | 'changing' | 'hurt';

/** Whether an operation that is not about a key may end so while disks are hurt or changed. */
function isExcused({ do: what }: Operation, code: string): boolean {
  if (LOOKS_AT_ALL.has(what)) return what !== 'list' && EXCUSED_LOOKS.has(code);
  return EXCUSED.has(code) || EXCUSED_CHANGES.has(code);
}

/** An operation that a worker was sent. */
export interface Sent {
  operation: Operation;
  began: number;
  /** The key that it is about. */
  address: string | undefined;
  write: Write | undefined;
}

/** Judges what operations answer, by the model and by what is being done to the disks. */
export class Judge {
  readonly #model: Model;
  readonly #journal: Journal;
  #mood: Mood = 'calm';
  /** Since when it has been calm. */
  #calmSince = 0;
  /** Whether a worker was killed since then. */
  #isTorn = false;

  constructor(model: Model, journal: Journal) {
    this.#model = model;
    this.#journal = journal;
  }

  /** Disks come and go from now on, or are hurt. */
  excuse(mood: 'changing' | 'hurt'): void {
    this.#mood = mood;
  }

  /** From now on nothing is excused, but for what began before. */
  expectCalm(): void {
    this.#mood = 'calm';
    this.#calmSince = this.#model.now();
    this.#isTorn = false;
  }

  /** A worker is about to be killed: what it is committing may be on some disks only, until it is healed. */
  excuseTorn(): void {
    this.#isTorn = true;
  }

  /** Before an operation is sent: from then on it may happen. */
  send(operation: Operation): Sent {
    const began = this.#model.now();
    const address = 'key' in operation ? `${operation.bucket}/${operation.key}` : undefined;
    const isWrite = operation.do === 'put' || operation.do === 'delete';
    const write =
      isWrite && address !== undefined
        ? this.#model.beginWrite(address, operation.do === 'put' ? operation.seed : undefined)
        : undefined;
    return { operation, began, address, write };
  }

  /** An upload that its source has held back is about to go on. */
  release({ write }: Sent): void {
    if (write !== undefined) this.#model.release(write);
  }

  /** The worker that it was sent to is dead. */
  lose({ write }: Sent): void {
    if (write !== undefined) this.#model.end(write);
  }

  /** @throws TortureError if a worker's answer can't be right */
  judge(sent: Sent, outcome: Outcome): void {
    const { operation, began, address, write } = sent;
    if (outcome.problem !== undefined) throw this.#failure(operation, outcome.problem, address);
    if (address !== undefined) {
      if (write !== undefined) this.#judgeWrite(sent, address, write, outcome);
      else this.#judgeRead(sent, address, outcome);
    } else if (outcome.listed !== undefined && operation.do === 'list')
      this.#judgeList(operation, outcome.listed, began);
    else if (outcome.health !== undefined) this.#judgeHealth(sent, outcome.health);
    else if (outcome.error !== undefined) {
      const { code, message } = outcome.error;
      if (this.#isCalmSince(began) || !isExcused(operation, code)) throw this.#failure(operation, `${code} ${message}`);
    }
  }

  /** @throws TortureError if the manager's answer can't be right, whatever others do at the same time */
  judgeManaged(operation: Operation, { problem, health, error }: Outcome): void {
    if (problem !== undefined) throw this.#failure(operation, problem);
    if (health !== undefined && health.lost > 0)
      throw this.failureAbout(
        `${operation.do} says that objects are lost: ${health.problems.join('; ')}`,
        health.problems,
      );
    if (error !== undefined && !isExcused(operation, error.code))
      throw this.#failure(operation, `${error.code} ${error.message}`);
  }

  /** A failure with the history of the first key that a report's problems name. */
  failureAbout(problem: string, problems: readonly string[]): TortureError {
    const address = this.#model
      .keys()
      .find((candidate) => problems.some((line) => line.startsWith(`${candidate} is `)));
    return this.#journal.failure(problem, address);
  }

  #judgeWrite(sent: Sent, address: string, write: Write, outcome: Outcome): void {
    const { operation, began } = sent;
    const { error, isWeak } = outcome;
    if (error === undefined) {
      this.#model.acknowledge(write);
      if (isWeak === true && this.#isCalmSince(began))
        throw this.#journal.failure(
          `${describeOperation(operation)} is not whole, but no disk is hurt: ${describeOutcome(outcome)}`,
          address,
        );
    } else if (error.code === 'NO_SUCH_KEY') {
      this.#model.cancel(address, write);
      this.#judgeSeen(sent, address, undefined);
    } else {
      this.#model.end(write);
      if (!EXCUSED.has(error.code) || this.#isCalmSince(began))
        throw this.#failure(operation, `${error.code} ${error.message}`, address);
    }
  }

  /** Nothing excuses a read that fails: no more is ever hurt than every object survives. */
  #judgeRead(sent: Sent, address: string, { error, seed }: Outcome): void {
    if (error === undefined) {
      if (seed !== undefined) this.#judgeSeen(sent, address, seed);
    } else if (error.code === 'NO_SUCH_KEY') this.#judgeSeen(sent, address, undefined);
    else if (error.code !== 'BAD_RANGE') throw this.#failure(sent.operation, `${error.code} ${error.message}`, address);
  }

  #judgeSeen({ operation, began }: Sent, address: string, seed: number | undefined): void {
    const isGlimpse = began > this.#calmSince && this.#mood !== 'hurt';
    const why = this.#model.whyImpossible(address, seed, began, isGlimpse);
    if (why !== undefined)
      throw this.#journal.failure(`${describeOperation(operation)} of ${address}: ${why}`, address);
  }

  #judgeList(operation: Extract<Operation, { do: 'list' }>, listed: readonly [string, number][], began: number): void {
    const { bucket, prefix = '' } = operation;
    const found = new Map(listed);
    if (found.size !== listed.length)
      throw this.#journal.failure(`${describeOperation(operation)} lists a key twice: ${[...found.keys()].join(', ')}`);
    const strange = [...found.keys()].filter((key) => !KEYS.includes(key) || !key.startsWith(prefix));
    if (strange.length > 0) throw this.#journal.failure(`${describeOperation(operation)} lists ${strange.join(', ')}`);
    for (const key of KEYS.filter((candidate) => candidate.startsWith(prefix))) {
      const address = `${bucket}/${key}`;
      const why = this.#model.whyImpossible(address, found.get(key), began, false);
      if (why !== undefined) throw this.#failure(operation, `${address}: ${why}`, address);
    }
  }

  /** Nothing is ever lost; and while it is calm, what others do at that moment must not be taken for damage. */
  #judgeHealth({ operation, began }: Sent, { lost, degraded, problems }: NonNullable<Outcome['health']>): void {
    if (lost > 0)
      throw this.failureAbout(
        `${describeOperation(operation)} says that objects are lost: ${problems.join('; ')}`,
        problems,
      );
    if (degraded > 0 && this.#isCalmSince(began) && !this.#isTorn) {
      throw this.failureAbout(
        `false alarm: ${describeOperation(operation)} says that objects are degraded, but no disk is hurt and nobody was killed: ${problems.join('; ')}`,
        problems,
      );
    }
  }

  #isCalmSince(began: number): boolean {
    return this.#mood === 'calm' && began > this.#calmSince;
  }

  #failure(operation: Operation, problem: string, address?: string): TortureError {
    return this.#journal.failure(`${describeOperation(operation)}: ${problem}`, address);
  }
}
