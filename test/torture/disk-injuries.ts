import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Ambushes } from './ambushes.ts';
import { takeAway } from './away.ts';
import type { Course } from './course.ts';
import { Deck } from './deck.ts';
import type { DiskChanges } from './disk-changes.ts';
import { removeAll } from './files.ts';
import { hurtFiles, wipeFiles } from './injuries.ts';
import type { Journal } from './journal.ts';
import type { Manager } from './manager.ts';
import type { OddInjuries } from './odd-injuries.ts';
import type { Operation } from './operations.ts';
import type { Plan } from './plan.ts';
import type { Random } from './random.ts';

/** Ways to hurt a disk: the more often, the more often they are here. */
const WAYS = [
  'files',
  'files',
  'away',
  'away',
  'lost',
  'wiped',
  'folders',
  'mark',
  'odd',
  'odd',
  'odd',
  'odd',
  'odd mark',
] as const;

interface Parts {
  root: string;
  /** Beside the store: where disks are that were taken away. */
  folder: string;
  plan: Plan;
  random: Random;
  course: Course;
  journal: Journal;
  manager: Manager;
  changes: DiskChanges;
  ambushes: Ambushes;
  odd: OddInjuries;
}

/** Hurts disks beside the workers: at one time no more of them than every object survives. */
export class DiskInjuries {
  readonly #parts: Parts;
  readonly #ways: Deck<(typeof WAYS)[number]>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#ways = new Deck(parts.random, WAYS);
  }

  /** Hurts some disks, and brings back those that went. */
  async hurtSome(): Promise<void> {
    const { plan, random, course, manager, ambushes } = this.#parts;
    const chosen = random.sample(manager.diskNames(), random.between(1, plan.losses));
    if (random.chance(0.7)) {
      await ambushes.spring(chosen);
      if (random.chance(0.4)) return;
    }
    const beside = random.chance(0.3) ? this.#manageBeside(chosen) : undefined;
    const returns: (() => Promise<void>)[] = [];
    for (const name of chosen) {
      const back = this.#hurt(name);
      if (back !== undefined) returns.push(back);
      else if (random.chance(0.5)) this.#hurtOddly(name);
      await course.liveFor(random.between(0, 500));
      if (random.chance(0.3))
        await manager.do(random.pick<Operation>([{ do: 'verify', quick: false }, { do: 'heal' }, { do: 'gc' }]));
    }
    await course.liveFor(random.between(100, 800));
    for (const back of returns) await back();
    await beside;
    if (random.chance(0.7)) await manager.do({ do: 'heal' });
  }

  /** Some change of disks that goes on while disks are hurt. */
  async #manageBeside(hurt: readonly string[]): Promise<void> {
    const { plan, random, manager } = this.#parts;
    const operations: Operation[] = [{ do: 'rebalance' }, { do: 'heal' }, { do: 'gc' }];
    const names = manager.diskNames();
    if (names.length > plan.fewest) operations.push({ do: 'drain disk', name: random.pick([...hurt, ...names]) });
    await manager.do(random.pick(operations));
  }

  /** Hurts a disk, again and again perhaps. @returns what brings it back, if it has gone */
  #hurt(name: string): (() => Promise<void>) | undefined {
    const { root, random, journal } = this.#parts;
    const disk = path.join(root, name);
    journal.report.hurt++;
    switch (this.#ways.draw()) {
      case 'files':
        journal.note(`hurt ${name}: ${hurtFiles(disk, random)}`);
        return undefined;
      case 'wiped':
        journal.note(`hurt ${name}: remove all files`);
        wipeFiles(disk);
        return undefined;
      case 'folders': {
        const lost = random.sample(['buckets', 'chunks', 'tmp'], random.between(1, 3));
        journal.note(`hurt ${name}: remove ${lost.join(', ')}`);
        for (const inner of lost) removeAll(path.join(disk, inner));
        return undefined;
      }
      case 'away':
        return this.#takeAway(name, disk);
      case 'lost':
        return this.#lose(name, disk);
      case 'odd':
        this.#hurtOddly(name);
        return undefined;
      case 'mark':
        return this.#hurtMark(name, disk, false);
      case 'odd mark':
        return this.#hurtMark(name, disk, true);
    }
  }

  #hurtOddly(name: string): void {
    const { root, random, journal, odd } = this.#parts;
    const disk = path.join(root, name);
    journal.note(`hurt ${name}: ${random.chance(0.5) ? odd.hurtFiles(disk) : odd.hurtFolder(disk)}`);
  }

  /** The disk misses what happens meanwhile; and it may have suffered when it comes back. */
  #takeAway(name: string, disk: string): () => Promise<void> {
    const { root, folder, random, course, journal } = this.#parts;
    journal.note(`hurt ${name}: take it away`);
    const back = takeAway(root, folder, name);
    return async () => {
      journal.note(`${name} comes back`);
      back();
      if (random.chance(0.3)) {
        await course.liveFor(random.between(0, 100));
        journal.note(`hurt ${name}: ${hurtFiles(disk, random)}`);
      }
    };
  }

  /** Another one takes its place. */
  #lose(name: string, disk: string): () => Promise<void> {
    this.#parts.journal.note(`hurt ${name}: lose it`);
    removeAll(disk);
    return () => this.#parts.changes.replace(name);
  }

  /** Without its mark a disk is not known to be the store's, though all else is on it. */
  #hurtMark(name: string, disk: string, isOdd: boolean): () => Promise<void> {
    const { random, journal, odd } = this.#parts;
    const mark = path.join(disk, 'disk.json');
    const bytes = fs.readFileSync(mark);
    if (isOdd) journal.note(`hurt ${name}: ${odd.hurtMark(mark)}`);
    else {
      const isFlipped = random.chance(0.5);
      journal.note(`hurt ${name}: ${isFlipped ? 'damage' : 'remove'} its mark`);
      if (isFlipped) fs.writeFileSync(mark, '{');
      else fs.unlinkSync(mark);
    }
    return () => {
      journal.note(`${name} gets its mark back`);
      removeAll(mark);
      fs.writeFileSync(mark, bytes);
      return Promise.resolve();
    };
  }
}
