import { Grouped, type GroupOptions } from './grouped.ts';

/** Work in groups, each of items that have a name in common. Who waits for one name keeps nobody else waiting. */
export class GroupedByName<Item, Result> {
  readonly #work: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly #options: GroupOptions<Item>;
  readonly #groups = new Map<string, Grouped<Item, Result>>();

  /** @param work, options as for `Grouped`, for each name */
  constructor(work: (items: readonly Item[]) => Promise<readonly Result[]>, options: GroupOptions<Item>) {
    this.#work = work;
    this.#options = options;
  }

  /** Has the item worked on in one of the next groups of its name. */
  async do(name: string, item: Item): Promise<Result> {
    const group = this.#groups.get(name) ?? new Grouped(this.#work, this.#options);
    this.#groups.set(name, group);
    try {
      return await group.do(item);
    } finally {
      if (group.isIdle) this.#groups.delete(name);
    }
  }
}
