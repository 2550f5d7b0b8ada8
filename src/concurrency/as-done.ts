import { must } from '../errors.ts';

/**
 * Runs `work` on items, up to `count` of them at once, and gives the results as they come. Items are asked for as there is room,
 * so a consumer that is slow holds them back; a source that is slow holds nothing back. Whoever stops early, and a failure, stop
 * the source too, and all that has begun is at rest at the end.
 */
export function asDone<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  count: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  return new Course(items, count, work).results();
}

class Course<Item, Result> {
  readonly #items: Iterator<Item> | AsyncIterator<Item>;
  readonly #count: number;
  readonly #work: (item: Item) => Promise<Result>;
  readonly #done: { result: Result }[] = [];
  readonly #failures: unknown[] = [];
  /** No more items are to come. */
  #isOver = false;
  #isPulling = false;
  #running = 0;
  #wake: () => void = () => undefined;

  constructor(items: Iterable<Item> | AsyncIterable<Item>, count: number, work: (item: Item) => Promise<Result>) {
    this.#items = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    this.#count = count;
    this.#work = work;
  }

  async *results(): AsyncGenerator<Result> {
    try {
      for (;;) {
        while (this.#done.length > 0) yield must(this.#done.shift(), 'result').result;
        if (this.#failures.length > 0) throw this.#failures[0];
        if (this.#isOver && this.#running === 0) return;
        void this.#pull();
        await this.#change();
      }
    } finally {
      await this.#end();
    }
  }

  #change(): Promise<void> {
    if (this.#done.length > 0 || this.#failures.length > 0) return Promise.resolve();
    return new Promise((resolve) => (this.#wake = resolve));
  }

  /** Asks for items as long as there is room. */
  async #pull(): Promise<void> {
    if (this.#isPulling || this.#isOver) return;
    this.#isPulling = true;
    try {
      while (this.#hasRoom()) {
        const next = await this.#items.next();
        if (next.done === true) this.#isOver = true;
        // It may have come after the consumer has gone.
        else if (!this.#isOver) void this.#run(next.value);
      }
    } catch (error) {
      this.#isOver = true;
      this.#failures.push(error);
    } finally {
      this.#isPulling = false;
      this.#wake();
    }
  }

  #hasRoom(): boolean {
    return !this.#isOver && this.#running + this.#done.length < this.#count;
  }

  async #run(item: Item): Promise<void> {
    this.#running++;
    try {
      this.#done.push({ result: await this.#work(item) });
    } catch (error) {
      this.#isOver = true;
      this.#failures.push(error);
    } finally {
      this.#running--;
      this.#wake();
    }
  }

  async #end(): Promise<void> {
    this.#isOver = true;
    while (this.#running > 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    const returned = Promise.resolve(this.#items.return?.());
    // A source that is waited for may never give anything.
    if (this.#isPulling) returned.catch(() => undefined);
    else await returned;
  }
}
