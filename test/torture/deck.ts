import type { Random } from './random.ts';

/** Cards that are drawn in random order, and each once before any comes again: so none is missed for long. */
export class Deck<T> {
  readonly #cards: readonly T[];
  readonly #random: Random;
  #left: T[] = [];

  constructor(random: Random, cards: readonly T[]) {
    this.#random = random;
    this.#cards = cards;
  }

  draw(): T {
    if (this.#left.length === 0) this.#left = this.#random.sample(this.#cards, this.#cards.length);
    const card = this.#left.pop();
    if (card === undefined) throw new Error('there is nothing to draw from');
    return card;
  }
}
