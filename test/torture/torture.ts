import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ObjectStore, type StoreDocument } from '../../src/index.ts';
import { findUntidy } from '../faults/crash-state.ts';
import { Worker } from './fleet.ts';
import { hurtFiles, removeAll, wipeFiles } from './injuries.ts';
import { Model } from './model.ts';
import { describeOperation, describeOutcome, type Operation, type Outcome } from './operations.ts';
import { Random } from './random.ts';

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

export interface TortureReport {
  /** How often each operation was done. */
  operations: Record<string, number>;
  rounds: number;
  /** Disks that were hurt. */
  hurt: number;
  killed: number;
  /** Errors of operations, and how often verify took for damage, while nothing was hurt, what others did at that moment. */
  failures: Record<string, number>;
}

/** What must never be, and what led to it. */
export class TortureError extends Error {
  constructor(problem: string, seed: number, root: string, history: readonly string[], events: readonly string[]) {
    const parts = [`torture with seed ${String(seed)} failed: ${problem}`, `the store is in ${root}`];
    parts.push(`the coordinator's last steps:\n${events.join('\n')}`, `the history of the key:\n${history.join('\n')}`);
    super(parts.join('\n\n'));
  }
}

const BUCKETS = ['first', 'second'];
const KEYS = ['a', 'b', 'deep/er/c', 'deep/d', '.dot', 'p%q', 'ü/ö', 'z'.repeat(300)];
const WORKERS = 3;
const LANES = 6;

/** Redundancies by the disks that they survive. */
const REDUNDANCIES = new Map([
  [1, ['1+1', '2+1', '1+2', '3+1', '2+2', '4+2']],
  [2, ['1+2', '2+2', '1+3', '3+2', '4+2']],
]);

/** Errors of a write that a hurt disk may lead to. */
const EXCUSED = new Set(['TOO_FEW_DISKS_TO_WRITE', 'DISK_IO', 'DISK_FULL', 'BAD_REDUNDANCY']);

/** Errors of a change of disks beside others, after which it is tried again. */
const EXCUSED_CHANGES = new Set(['DISK_NEEDED', 'DISK_EXISTS', 'DISK_IO', 'NO_SUCH_DISK', 'TOO_FEW_DISKS_TO_WRITE', 'TOO_FEW_DISKS_TO_READ', 'META_DAMAGED']);

const HISTORY = 200;

interface Step {
  operation: Operation;
  outcome: Outcome | 'killed';
}

/** Random operations of several processes, while disks are hurt, against a model of what must be true. */
export class Torture {
  readonly #options: TortureOptions;
  readonly #random: Random;
  readonly #root: string;
  readonly #model = new Model();
  readonly #workers: Worker[];
  readonly #manager: Worker;
  readonly #histories = new Map<string, string[]>();
  readonly #events: string[] = [];
  readonly #report: TortureReport = { operations: {}, rounds: 0, hurt: 0, killed: 0, failures: {} };
  readonly #began = Date.now();
  /** Disks that every object survives the loss of. */
  readonly #losses: number;
  readonly #redundancies: string[];
  readonly #fewest: number;
  /** `calm`: nothing is hurt, and no disk comes or goes, so everything must succeed. */
  #mood: 'calm' | 'changing' | 'hurt' = 'calm';
  /** Since when it has been calm. */
  #calmSince = 0;
  #gate: Promise<void> | undefined;
  #openGate: () => void = () => undefined;
  #busy = 0;
  #isOver = false;
  #problem: TortureError | undefined;
  #made = 0;

  constructor(options: TortureOptions) {
    this.#options = options;
    this.#random = new Random(options.seed, 'coordinator');
    this.#root = path.join(options.folder, 'store');
    const program = { script: options.script, library: options.library, root: this.#root };
    this.#workers = Array.from({ length: WORKERS }, () => new Worker(program));
    this.#manager = new Worker(program);
    this.#losses = this.#random.weigh([[2, 1], [1, 2]]);
    this.#fewest = this.#losses === 1 ? this.#random.between(3, 5) : this.#random.between(4, 6);
    const widthOf = (redundancy: string): number => redundancy.split('+').reduce((sum, part) => sum + Number(part), 0);
    this.#redundancies = (REDUNDANCIES.get(this.#losses) ?? []).filter((redundancy) => widthOf(redundancy) <= this.#fewest);
  }

  /** @throws TortureError */
  async run(): Promise<TortureReport> {
    try {
      await this.#prepare();
      const lanes = Array.from({ length: LANES }, (_, lane) => this.#runLane(lane));
      const killing = this.#killNowAndThen();
      try {
        while (!this.#isTimeUp()) await this.#runRound();
      } finally {
        this.#isOver = true;
        this.#openGate();
      }
      await Promise.all([...lanes, killing]);
      this.#check();
      await this.#finish();
      return this.#report;
    } catch (error) {
      this.#isOver = true;
      throw this.#problem ?? error;
    } finally {
      this.#isOver = true;
      this.#openGate();
      await Promise.all([...this.#workers, this.#manager].map((worker) => worker.kill()));
    }
  }

  async #prepare(): Promise<void> {
    const disks = this.#random.between(this.#fewest, this.#fewest + 2);
    const redundancy = this.#random.pick(this.#redundancies);
    const durability = this.#random.weigh([[3, 'none'], [1, 'fsync']] as const);
    const store = await ObjectStore.init(this.#root, { disks, redundancy, durability });
    this.#made = disks;
    const [first = '', second = ''] = BUCKETS;
    await store.createBucket(first);
    await store.createBucket(second, { redundancy: this.#random.pick(this.#redundancies) });
    this.#note(`${String(disks)} disks, at least ${String(this.#fewest)}, ${String(this.#losses)} may be lost; ${redundancy}, ${durability}`);
  }

  // Operations of the workers

  async #runLane(lane: number): Promise<void> {
    const random = new Random(this.#options.seed, `lane ${String(lane)}`);
    const worker = this.#workers[lane % WORKERS];
    for (let turn = 0; !this.#isOver; turn++) {
      const operation = this.#choose(random, lane * 1_000_000 + turn);
      await this.#gate;
      if (this.#isStopped() || worker === undefined) return;
      this.#busy++;
      try {
        await this.#perform(worker, operation);
      } catch (error) {
        if (!(error instanceof TortureError)) throw error;
        this.#problem ??= error;
        this.#isOver = true;
      } finally {
        this.#busy--;
      }
    }
  }

  /** The next operation follows from the seed alone. */
  #choose(random: Random, seed: number): Operation {
    const bucket = random.pick(BUCKETS);
    const key = random.pick(KEYS);
    const what = random.weigh([[26, 'put'], [9, 'delete'], [30, 'get'], [14, 'range'], [6, 'head'], [5, 'list'], [3, 'verify'], [2, 'gc'], [1, 'heal'], [1, 'rebalance']] as const);
    switch (what) {
      case 'put': {
        const redundancy = random.chance(0.6) ? { redundancy: random.pick(this.#redundancies) } : {};
        return { do: 'put', bucket, key, seed, slow: random.chance(0.15), ...redundancy };
      }
      case 'range':
        return { do: 'range', bucket, key, from: Math.floor(random.next() ** 3 * 2_500_000), count: random.between(1, 1_500_000) };
      case 'delete':
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

  async #perform(worker: Worker, operation: Operation): Promise<void> {
    const began = this.#model.now();
    const address = 'key' in operation ? `${operation.bucket}/${operation.key}` : undefined;
    const isWrite = operation.do === 'put' || operation.do === 'delete';
    const write = isWrite && address !== undefined ? this.#model.beginWrite(address, operation.do === 'put' ? operation.seed : undefined) : undefined;
    const line = `${String(Date.now() - this.#began)} ms ${describeOperation(operation)}`;
    const outcome = await worker.do(operation);
    if (address !== undefined) this.#remember(address, `${line} … ${String(Date.now() - this.#began)} ms: ${outcome === 'killed' ? 'killed' : describeOutcome(outcome)}`);
    this.#count({ operation, outcome });
    if (outcome === 'killed') return;
    if (outcome.problem !== undefined) throw this.#failure(`${describeOperation(operation)}: ${outcome.problem}`, address);
    const { error } = outcome;
    if (address !== undefined) {
      const isGlimpse = began > this.#calmSince && this.#mood !== 'hurt';
      const saw = (seed: number | undefined): void => {
        const why = this.#model.whyImpossible(address, seed, began, isGlimpse);
        if (why !== undefined) throw this.#failure(`${describeOperation(operation)} of ${address}: ${why}`, address);
      };
      if (error === undefined && write !== undefined) {
        this.#model.acknowledge(write);
        if (outcome.isWeak === true && this.#isCalmSince(began)) throw this.#failure(`${describeOperation(operation)} is not whole, but no disk is hurt: ${describeOutcome(outcome)}`, address);
      } else if (error === undefined) {
        if (outcome.seed !== undefined) saw(outcome.seed);
      } else if (error.code === 'NO_SUCH_KEY') {
        if (write !== undefined) this.#model.cancel(address, write);
        saw(undefined);
      } else if (write !== undefined) {
        if (!EXCUSED.has(error.code) || this.#isCalmSince(began)) throw this.#failure(`${describeOperation(operation)}: ${error.code} ${error.message}`, address);
      } else if (error.code !== 'BAD_RANGE') {
        throw this.#failure(`${describeOperation(operation)}: ${error.code} ${error.message}`, address);
      }
      return;
    }
    if (outcome.listed !== undefined && operation.do === 'list') this.#judgeList(operation, outcome.listed, began);
    else if (outcome.health !== undefined && outcome.health.lost > 0) {
      throw this.#failure(`${describeOperation(operation)} says that objects are lost: ${outcome.health.problems.join('; ')}`, this.#addressIn(outcome.health.problems));
    } else if (outcome.health !== undefined && outcome.health.degraded > 0 && this.#isCalmSince(began)) {
      this.#report.failures['false alarm'] = (this.#report.failures['false alarm'] ?? 0) + 1;
      this.#note(`false alarm of ${describeOperation(operation)}: ${outcome.health.problems.join('; ')}`);
    } else if (error !== undefined && (this.#isCalmSince(began) || !(EXCUSED.has(error.code) || EXCUSED_CHANGES.has(error.code)))) {
      throw this.#failure(`${describeOperation(operation)}: ${error.code} ${error.message}`);
    }
  }

  #judgeList(operation: Extract<Operation, { do: 'list' }>, listed: readonly [string, number][], began: number): void {
    const { bucket, prefix = '' } = operation;
    const found = new Map(listed);
    if (found.size !== listed.length) throw this.#failure(`${describeOperation(operation)} lists a key twice: ${[...found.keys()].join(', ')}`);
    const strange = [...found.keys()].filter((key) => !KEYS.includes(key) || !key.startsWith(prefix));
    if (strange.length > 0) throw this.#failure(`${describeOperation(operation)} lists ${strange.join(', ')}`);
    for (const key of KEYS.filter((candidate) => candidate.startsWith(prefix))) {
      const address = `${bucket}/${key}`;
      const why = this.#model.whyImpossible(address, found.get(key), began, false);
      if (why !== undefined) throw this.#failure(`${describeOperation(operation)}: ${address}: ${why}`, address);
    }
  }

  #isCalmSince(began: number): boolean {
    return this.#mood === 'calm' && began > this.#calmSince;
  }

  // What the coordinator does

  async #runRound(): Promise<void> {
    this.#report.rounds++;
    const random = this.#random;
    if (random.chance(0.5)) await this.#liveFor(random.between(100, 600));
    if (random.chance(0.6)) {
      this.#setMood('changing');
      await this.#changeDisks();
      await this.#becomeWhole();
      if (this.#isTimeUp()) return;
    }
    this.#setMood('hurt');
    this.#model.forgetGlimpses();
    await this.#hurtDisks();
    await this.#becomeWhole();
  }

  /** Adds, drains and removes disks, beside the workers; any of it may be killed and is then done again. */
  async #changeDisks(): Promise<void> {
    const random = this.#random;
    const names = this.#disks().map(({ name }) => name);
    const what = random.weigh([[names.length < this.#fewest + 3 ? 3 : 0, 'add'], [names.length > this.#fewest ? 3 : 0, 'remove'], [1, 'cancel'], [2, 'rebalance']] as const);
    if (what === 'add') await this.#addDisk();
    else if (what === 'rebalance') await this.#manage({ do: 'rebalance' });
    else if (what === 'cancel') {
      const name = random.pick(names);
      await Promise.all([this.#manage({ do: 'drain disk', name }), this.#liveFor(random.between(50, 300))]);
      await this.#manage({ do: 'cancel drain', name });
    } else await this.#removeDisk(random.pick(names));
    await this.#liveFor(random.between(0, 300));
  }

  async #addDisk(): Promise<void> {
    this.#made++;
    const name = `disk${String(this.#made)}`;
    await this.#manage({ do: 'add disk', name, path: path.join(this.#root, name) });
    if (this.#random.chance(0.5)) await this.#manage({ do: 'rebalance' });
  }

  async #removeDisk(name: string): Promise<void> {
    for (let tries = 1; tries <= 5; tries++) {
      await this.#manage({ do: 'drain disk', name });
      await this.#manage({ do: 'remove disk', name });
      if (this.#isMember(name)) continue;
      removeAll(path.join(this.#root, name));
      return;
    }
  }

  async #hurtDisks(): Promise<void> {
    const random = this.#random;
    const disks = this.#disks();
    const count = random.between(1, this.#losses);
    const chosen = random.sample(disks.map(({ name }) => name), count);
    const beside = random.chance(0.3) ? this.#manageBeside(chosen) : undefined;
    const returns: (() => Promise<void>)[] = [];
    for (const name of chosen) {
      const back = this.#hurt(name);
      if (back !== undefined) returns.push(back);
      await this.#liveFor(random.between(0, 500));
      if (random.chance(0.3)) await this.#manage(random.pick<Operation>([{ do: 'verify', quick: false }, { do: 'heal' }, { do: 'gc' }]));
    }
    await this.#liveFor(random.between(100, 800));
    for (const back of returns) await back();
    await beside;
    if (random.chance(0.7)) await this.#manage({ do: 'heal' });
  }

  /** Some change of disks that goes on while disks are hurt. */
  async #manageBeside(hurt: readonly string[]): Promise<void> {
    const operations: Operation[] = [{ do: 'rebalance' }, { do: 'heal' }, { do: 'gc' }];
    if (this.#disks().length > this.#fewest) operations.push({ do: 'drain disk', name: this.#random.pick([...hurt, ...this.#disks().map(({ name }) => name)]) });
    await this.#manage(this.#random.pick(operations));
  }

  /** Hurts a disk, again and again perhaps. @returns what brings it back, if it has gone */
  #hurt(name: string): (() => Promise<void>) | undefined {
    const random = this.#random;
    const folder = path.join(this.#root, name);
    const away = path.join(this.#options.folder, `away-${name}`);
    this.#report.hurt++;
    const how = random.weigh([[4, 'files'], [3, 'away'], [2, 'lost'], [1, 'wiped'], [1, 'folders'], [1, 'mark']] as const);
    switch (how) {
      case 'files':
        this.#note(`hurt ${name}: ${hurtFiles(folder, random)}`);
        return undefined;
      case 'wiped':
        this.#note(`hurt ${name}: remove all files`);
        wipeFiles(folder);
        return undefined;
      case 'folders': {
        const lost = random.sample(['buckets', 'chunks', 'tmp'], random.between(1, 3));
        this.#note(`hurt ${name}: remove ${lost.join(', ')}`);
        for (const inner of lost) removeAll(path.join(folder, inner));
        return undefined;
      }
      case 'away':
        this.#note(`hurt ${name}: take it away`);
        fs.renameSync(folder, away);
        return async () => {
          this.#note(`${name} comes back`);
          fs.renameSync(away, folder);
          if (random.chance(0.3)) {
            await this.#liveFor(random.between(0, 100));
            this.#note(`hurt ${name}: ${hurtFiles(folder, random)}`);
          }
        };
      case 'lost':
        this.#note(`hurt ${name}: lose it`);
        fs.renameSync(folder, away);
        removeAll(away);
        return () => this.#replace(name);
      case 'mark': {
        const mark = path.join(folder, 'disk.json');
        const bytes = fs.readFileSync(mark);
        const isFlipped = random.chance(0.5);
        this.#note(`hurt ${name}: ${isFlipped ? 'damage' : 'remove'} its mark`);
        if (isFlipped) fs.writeFileSync(mark, '{');
        else fs.unlinkSync(mark);
        return () => {
          this.#note(`${name} gets its mark back`);
          fs.writeFileSync(mark, bytes);
          return Promise.resolve();
        };
      }
    }
  }

  async #replace(name: string): Promise<void> {
    this.#note(`${name} is replaced`);
    await this.#manage({ do: 'replace disk', name });
  }

  /**
   * One step of the manager. Now and then it is killed in its midst, and then done again. What others do at the same
   * time may be in its way, so not every error counts here: that all is well in the end, does.
   */
  async #manage(operation: Operation): Promise<Outcome> {
    const random = this.#random;
    for (;;) {
      const isKilled = random.chance(0.3);
      const delay = Math.floor(random.next() ** 2 * 250);
      const doing = this.#manager.do(operation);
      if (isKilled) {
        await Promise.race([doing, sleep(delay)]);
        if (!this.#manager.isIdle) {
          this.#report.killed++;
          await this.#manager.kill();
        }
      }
      const outcome = await doing;
      this.#count({ operation, outcome });
      this.#note(`${describeOperation(operation)}: ${outcome === 'killed' ? 'killed' : describeOutcome(outcome)}`);
      this.#check();
      if (outcome === 'killed') continue;
      if (outcome.problem !== undefined) throw this.#failure(`${describeOperation(operation)}: ${outcome.problem}`);
      const { health, error } = outcome;
      if (health !== undefined && health.lost > 0) throw this.#failure(`${operation.do} says that objects are lost: ${health.problems.join('; ')}`, this.#addressIn(health.problems));
      if (error !== undefined && !EXCUSED_CHANGES.has(error.code)) throw this.#failure(`${describeOperation(operation)}: ${error.code} ${error.message}`);
      return outcome;
    }
  }

  /** Stops the workers, heals, and checks that all is whole and as the model says. */
  async #becomeWhole(): Promise<void> {
    this.#close();
    while (this.#busy > 0) await sleep(1);
    this.#check();
    try {
      await this.#expectWhole();
    } finally {
      this.#setMood('calm');
      this.#calmSince = this.#model.now();
      this.#openGate();
    }
  }

  async #expectWhole(): Promise<void> {
    for (const { name, role } of this.#disks()) {
      if (role !== 'draining') continue;
      if (this.#random.chance(0.5) || this.#disks().length <= this.#fewest) {
        const { error } = await this.#manage({ do: 'cancel drain', name });
        if (error !== undefined) throw this.#failure(`cancel drain of ${name}: ${error.message}`);
      } else {
        await this.#manage({ do: 'heal' });
        await this.#removeDisk(name);
        if (this.#isMember(name)) throw this.#failure(`nothing is going on, but ${name} can't be removed`);
      }
    }
    const { health: healed, gc, error } = await this.#manage({ do: 'heal' });
    if (error !== undefined) throw this.#failure(`heal: ${error.message}`);
    if (healed === undefined || healed.whole !== healed.objects || healed.failed.length > 0) {
      throw this.#failure(`a heal with nothing in its way did not heal all: ${JSON.stringify(healed)}`, this.#addressIn(healed?.problems ?? []));
    }
    if (gc === undefined || gc.kept.length > 0 || gc.failed.length > 0) throw this.#failure(`the heal's gc: ${JSON.stringify(gc)}`);
    const joining = this.#disks().filter(({ role }) => role !== undefined);
    if (joining.length > 0) throw this.#failure(`after a heal, disks are not members: ${JSON.stringify(joining)}`);
    const { health: verified } = await this.#manage({ do: 'verify', quick: false });
    if (verified?.whole !== verified?.objects) throw this.#failure(`heal said that all is whole, but verify: ${JSON.stringify(verified)}`, this.#addressIn(verified?.problems ?? []));
    const { gc: again } = await this.#manage({ do: 'gc' });
    const nothing = { leftoverChunks: 0, leftoverBytes: 0, stagedFiles: 0, tombstones: 0, settled: 0, inUse: 0, kept: [], failed: [] };
    if (JSON.stringify(again) !== JSON.stringify(nothing)) throw this.#failure(`after a heal, gc finds something: ${JSON.stringify(again)}`);
    const { stale } = await this.#manage({ do: 'usage' });
    if (stale !== 0) throw this.#failure(`after a heal, ${String(stale)} metas are missing`);
    const untidy = findUntidy(this.#root);
    if (untidy.length > 0) throw this.#failure(`after a heal, there is left: ${untidy.join(', ')}`);
    const count = await this.#readAll(true);
    if (count !== verified?.objects) throw this.#failure(`verify counted ${String(verified?.objects)} objects, but there are ${String(count)}`);
  }

  /** Reads every object, compares it with the model, and tells how many there are. */
  async #readAll(isSettled: boolean): Promise<number> {
    let count = 0;
    for (const bucket of BUCKETS) {
      for (const key of KEYS) {
        const address = `${bucket}/${key}`;
        const began = this.#model.now();
        const operation: Operation = { do: 'get', bucket, key };
        const outcome = await this.#manager.do(operation);
        if (outcome === 'killed') throw new Error('nobody killed the manager');
        this.#remember(address, `${String(Date.now() - this.#began)} ms quiet get: ${describeOutcome(outcome)}`);
        const { problem, error, seed } = outcome;
        if (problem !== undefined) throw this.#failure(`${address}: ${problem}`, address);
        if (error !== undefined && error.code !== 'NO_SUCH_KEY') throw this.#failure(`${address} can't be read: ${error.code} ${error.message}`, address);
        const why = this.#model.whyImpossible(address, seed, began, false);
        if (why !== undefined) throw this.#failure(`${address}: ${why}`, address);
        if (seed !== undefined) count++;
        if (isSettled) this.#model.settle(address, seed);
      }
    }
    return count;
  }

  /** At the end as many disks as may be are lost, and everything is still there. */
  async #finish(): Promise<void> {
    this.#setMood('hurt');
    await this.#expectWhole();
    const lost = this.#random.sample(this.#disks().map(({ name }) => name), this.#losses);
    this.#note(`lose ${lost.join(', ')} for good`);
    for (const name of lost) removeAll(path.join(this.#root, name));
    await this.#readAll(false);
    for (const name of lost) await this.#replace(name);
    await this.#expectWhole();
  }

  async #killNowAndThen(): Promise<void> {
    const random = new Random(this.#options.seed, 'kills');
    if (random.chance(0.3)) return;
    while (!this.#isOver) {
      await sleep(random.between(200, 2500));
      const worker = random.pick(this.#workers);
      if (worker.isIdle || this.#isStopped()) continue;
      this.#report.killed++;
      this.#note('kill a worker');
      await worker.kill();
    }
  }

  /** Lets the workers go on for a while. */
  async #liveFor(milliseconds: number): Promise<void> {
    await sleep(milliseconds);
    this.#check();
  }

  // Bookkeeping

  #setMood(mood: 'calm' | 'changing' | 'hurt'): void {
    this.#mood = mood;
  }

  #close(): void {
    this.#gate = new Promise((resolve) => {
      this.#openGate = () => {
        this.#gate = undefined;
        resolve();
      };
    });
  }

  /** Asked anew after a wait. */
  #isStopped(): boolean {
    return this.#isOver;
  }

  #isTimeUp(): boolean {
    return Date.now() - this.#began > this.#options.milliseconds;
  }

  #document(): StoreDocument {
    return JSON.parse(fs.readFileSync(path.join(this.#root, 'store.json'), 'utf8')) as StoreDocument;
  }

  #disks(): StoreDocument['disks'] {
    return this.#document().disks;
  }

  #isMember(name: string): boolean {
    return this.#disks().some((disk) => disk.name === name);
  }

  #addressIn(problems: readonly string[]): string | undefined {
    return this.#model.keys().find((address) => problems.some((problem) => problem.startsWith(`${address} is `)));
  }

  #remember(address: string, line: string): void {
    const history = this.#histories.get(address) ?? [];
    this.#histories.set(address, history);
    history.push(line);
    if (history.length > HISTORY) history.shift();
  }

  #note(event: string): void {
    const line = `${String(Date.now() - this.#began)} ms ${event}`;
    this.#events.push(line);
    if (this.#events.length > HISTORY) this.#events.shift();
    this.#options.log?.(line);
  }

  #count({ operation, outcome }: Step): void {
    const { operations, failures } = this.#report;
    operations[operation.do] = (operations[operation.do] ?? 0) + 1;
    if (outcome === 'killed' || outcome.error === undefined) return;
    const failure = `${operation.do}: ${outcome.error.code}`;
    failures[failure] = (failures[failure] ?? 0) + 1;
  }

  #failure(problem: string, address?: string): TortureError {
    const history = address === undefined ? [] : (this.#histories.get(address) ?? []);
    return new TortureError(problem, this.#options.seed, this.#root, history, this.#events);
  }

  /** @throws what a worker has found */
  #check(): void {
    if (this.#problem !== undefined) throw this.#problem;
  }
}
