import { must } from '../errors.ts';

export interface GroupOptions<Item> {
  /** What an item adds to a group, in any unit; and what a group has at most, if it has more than one item. */
  weigh: (item: Item) => number;
  most: number;
  /** Groups at work at once. */
  atOnce: number;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Work that costs less when much of it is done together (group commit, as databases do with their logs): who asks while groups
 * are at work waits for the next one, and nobody waits for who may still come.
 */
export class Grouped<Item, Result> {
  readonly #work: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly #options: GroupOptions<Item>;
  #waiting: Waiting<Item, Result>[] = [];
  #running = 0;
  #isCalled = false;

  /** @param work on a group; its results are in the order of the items, and what it rejects with is told to all */
  constructor(work: (items: readonly Item[]) => Promise<readonly Result[]>, options: GroupOptions<Item>) {
    this.#work = work;
    this.#options = options;
  }

  /** Whether nothing is worked on, and nothing waits. */
  get isIdle(): boolean {
    return this.#running === 0 && this.#waiting.length === 0;
  }

  /** Has the item worked on in one of the next groups. */
  do(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#call();
    });
  }

  /** Lets all who ask in the same turn of the event loop come together. */
  #call(): void {
    if (this.#isCalled || this.#running >= this.#options.atOnce || this.#waiting.length === 0) return;
    this.#isCalled = true;
    setImmediate(() => {
      this.#isCalled = false;
      void this.#run(this.#next());
      this.#call();
    });
  }

  #next(): Waiting<Item, Result>[] {
    const { weigh, most } = this.#options;
    let weight = 0;
    const end = this.#waiting.findIndex(({ item }, index) => (weight += weigh(item)) > most && index > 0);
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  async #run(group: readonly Waiting<Item, Result>[]): Promise<void> {
    this.#running++;
    try {
      const results = await this.#work(group.map(({ item }) => item));
      for (const [index, { resolve }] of group.entries()) resolve(must(results[index], 'result'));
    } catch (error) {
      for (const { reject } of group) reject(error);
    } finally {
      this.#running--;
      this.#call();
    }
  }
}
