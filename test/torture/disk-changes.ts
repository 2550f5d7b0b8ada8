import * as path from 'node:path';
import type { Course } from './course.ts';
import { removeAll } from './files.ts';
import type { Journal } from './journal.ts';
import type { Manager } from './manager.ts';
import type { Plan } from './plan.ts';
import type { Random } from './random.ts';

interface Parts {
  root: string;
  plan: Plan;
  random: Random;
  course: Course;
  journal: Journal;
  manager: Manager;
}

/** Disks come and go, beside the workers; any step of it may be killed and is then done again. */
export class DiskChanges {
  readonly #parts: Parts;
  /** Disks that there ever were: a name is not used again. */
  #made: number;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#made = parts.plan.disks;
  }

  /** Adds, drains or removes a disk, or moves what is on them. */
  async change(): Promise<void> {
    const { plan, random, course, manager } = this.#parts;
    const names = manager.diskNames();
    const what = random.weigh([
      [names.length < plan.fewest + 3 ? 3 : 0, 'add'],
      [names.length > plan.fewest ? 3 : 0, 'remove'],
      [1, 'cancel'],
      [2, 'rebalance'],
    ] as const);
    if (what === 'add') await this.#add();
    else if (what === 'rebalance') await manager.do({ do: 'rebalance' });
    else if (what === 'cancel') {
      const name = random.pick(names);
      await Promise.all([manager.do({ do: 'drain disk', name }), course.liveFor(random.between(50, 300))]);
      await manager.do({ do: 'cancel drain', name });
    } else await this.remove(random.pick(names));
    await course.liveFor(random.between(0, 300));
  }

  /** Drains and removes a disk; while workers still write to it, that may not come to pass. */
  async remove(name: string): Promise<void> {
    const { root, manager } = this.#parts;
    for (let tries = 1; tries <= 5; tries++) {
      await manager.do({ do: 'drain disk', name });
      await manager.do({ do: 'remove disk', name });
      if (manager.isMember(name)) continue;
      removeAll(path.join(root, name));
      return;
    }
  }

  async replace(name: string): Promise<void> {
    this.#parts.journal.note(`${name} is replaced`);
    await this.#parts.manager.do({ do: 'replace disk', name });
  }

  async #add(): Promise<void> {
    const { root, random, manager } = this.#parts;
    this.#made++;
    const name = `disk${this.#made}`;
    await manager.do({ do: 'add disk', name, path: path.join(root, name) });
    if (random.chance(0.5)) await manager.do({ do: 'rebalance' });
  }
}
