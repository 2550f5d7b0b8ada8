import * as path from 'node:path';
import { findUntidy } from '../faults/crash-state.ts';
import { clearSetAside, findOdd } from './set-aside.ts';
import type { DiskChanges } from './disk-changes.ts';
import type { Journal } from './journal.ts';
import type { Judge } from './judge.ts';
import type { Manager } from './manager.ts';
import type { Model } from './model.ts';
import type { OddThings } from './odd-things.ts';
import { BUCKETS, KEYS, type Plan } from './plan.ts';
import type { Random } from './random.ts';

const NO_GARBAGE = {
  leftoverChunks: 0,
  leftoverBytes: 0,
  stagedFiles: 0,
  tombstones: 0,
  settled: 0,
  inUse: 0,
  kept: [],
  failed: [],
};

interface Parts {
  root: string;
  plan: Plan;
  random: Random;
  model: Model;
  journal: Journal;
  judge: Judge;
  manager: Manager;
  changes: DiskChanges;
  things: OddThings;
}

/** What must be true when nothing is going on, whatever went on before. */
export class Wholeness {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Heals, and checks that all is whole, tidy and as the model says. */
  async expect(): Promise<void> {
    await this.#endDrains();
    await this.#expectHealed();
    const objects = await this.#expectVerified();
    await this.#expectTidy();
    const count = await this.readAll(true);
    if (count !== objects)
      throw this.#parts.journal.failure(`verify counted ${objects} objects, but there are ${count}`);
  }

  /**
   * Reads every object, compares it with the model, and tells how many there are.
   * @param isSettled whether they are from now on what they are found to be: so it is only when the store is whole
   */
  async readAll(isSettled: boolean): Promise<number> {
    const { model, journal, manager } = this.#parts;
    let count = 0;
    for (const bucket of BUCKETS) {
      for (const key of KEYS) {
        const address = `${bucket}/${key}`;
        const began = model.now();
        const outcome = await manager.get(bucket, key);
        journal.remember(address, `${journal.time()} quiet get`, outcome);
        const { problem, error, seed } = outcome;
        if (problem !== undefined) throw journal.failure(`${address}: ${problem}`, address);
        if (error !== undefined && error.code !== 'NO_SUCH_KEY')
          throw journal.failure(`${address} can't be read: ${error.code} ${error.message}`, address);
        const why = model.whyImpossible(address, seed, began, false);
        if (why !== undefined) throw journal.failure(`${address}: ${why}`, address);
        if (seed !== undefined) count++;
        if (isSettled) model.settle(address, seed);
      }
    }
    return count;
  }

  /** A disk that is still being drained stays after all, or goes: with nothing in its way, both must be possible. */
  async #endDrains(): Promise<void> {
    const { plan, random, journal, manager, changes } = this.#parts;
    for (const { name, role } of manager.disks()) {
      if (role !== 'draining') continue;
      if (random.chance(0.5) || manager.disks().length <= plan.fewest) {
        const { error } = await manager.do({ do: 'cancel drain', name });
        if (error !== undefined) throw journal.failure(`cancel drain of ${name}: ${error.message}`);
      } else {
        await manager.do({ do: 'heal' });
        await changes.remove(name);
        if (manager.isMember(name)) throw journal.failure(`nothing is going on, but ${name} can't be removed`);
      }
    }
  }

  async #expectHealed(): Promise<void> {
    const { journal, judge, manager } = this.#parts;
    const { health, gc, error } = await manager.do({ do: 'heal' });
    if (error !== undefined) throw journal.failure(`heal: ${error.message}`);
    if (health === undefined || health.whole !== health.objects || health.failed.length > 0) {
      throw judge.failureAbout(
        `a heal with nothing in its way did not heal all: ${JSON.stringify(health)}`,
        health?.problems ?? [],
      );
    }
    if (gc === undefined || gc.kept.length > 0 || gc.failed.length > 0)
      throw journal.failure(`the heal's gc: ${JSON.stringify(gc)}`);
    const joining = manager.disks().filter(({ role }) => role !== undefined);
    if (joining.length > 0) throw journal.failure(`after a heal, disks are not members: ${JSON.stringify(joining)}`);
  }

  /** @returns how many objects verify has counted */
  async #expectVerified(): Promise<number | undefined> {
    const { judge, manager } = this.#parts;
    const { health } = await manager.do({ do: 'verify', quick: false });
    if (health?.whole !== health?.objects)
      throw judge.failureAbout(
        `heal said that all is whole, but verify: ${JSON.stringify(health)}`,
        health?.problems ?? [],
      );
    return health?.objects;
  }

  /** A heal leaves nothing behind, on any disk. */
  async #expectTidy(): Promise<void> {
    const { root, journal, manager, things } = this.#parts;
    let { gc } = await manager.do({ do: 'gc' });
    // Who is killed while it starts a program shares its locks with that for a moment longer, so heal took it for alive.
    if (gc !== undefined && gc.stagedFiles > 0) {
      journal.note('gc found what was staged by one that was still dying');
      ({ gc } = await manager.do({ do: 'gc' }));
    }
    if (JSON.stringify(gc) !== JSON.stringify(NO_GARBAGE))
      throw journal.failure(`after a heal, gc finds something: ${JSON.stringify(gc)}`);
    const { stale } = await manager.do({ do: 'usage' });
    if (stale !== 0) throw journal.failure(`after a heal, ${stale} metas are missing`);
    const disks = manager.diskNames().map((name) => path.join(root, name));
    for (const name of disks.flatMap(clearSetAside)) journal.note(`was set aside: ${path.relative(root, name)}`);
    const odd = disks.flatMap(findOdd);
    if (odd.length > 0) throw journal.failure(`after a heal, something odd is left: ${odd.join(', ')}`);
    if (things.elsewhere().join() !== 'precious')
      throw journal.failure(`a folder outside the store, to which a link led, holds: ${things.elsewhere().join(', ')}`);
    const untidy = findUntidy(root);
    if (untidy.length > 0) throw journal.failure(`after a heal, there is left: ${untidy.join(', ')}`);
  }
}
