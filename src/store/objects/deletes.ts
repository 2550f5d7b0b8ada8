import { GroupedByName } from '../../concurrency/grouped-by-name.ts';
import { checkBucketName, checkKey, type Address } from '../../metadata/names.ts';
import type { StoreContext } from '../protocol/context.ts';
import { deleteObject, type DeleteOptions } from './delete.ts';
import { deleteTogether, type DeletedTogether } from './delete-together.ts';
import { LEAST, ofMany, type Outcome } from './many.ts';

/** An object to be deleted. */
export interface DeleteItem extends Address, DeleteOptions {}

/** What became of an item: it is gone, or why not. */
export type DeleteOutcome<Item> = Outcome<Item, { deleted: true }>;

/** Objects that are deleted in one go at most, and groups at work at once. */
const TOGETHER = 128;
const AT_ONCE = 2;

/** All deletes of a store: objects of one bucket that are deleted at the same time go in groups. */
export class Deletes {
  readonly #context: StoreContext;
  readonly #groups: GroupedByName<DeleteItem, DeletedTogether>;

  constructor(context: StoreContext) {
    this.#context = context;
    this.#groups = new GroupedByName((items) => this.#delete(items), {
      weigh: () => 1,
      most: TOGETHER,
      atOnce: AT_ONCE,
    });
  }

  /** Deletes an object, by itself or together with others. Rejects as `deleteObject` does. */
  async delete({ bucket, key }: Address, { signal }: DeleteOptions): Promise<void> {
    checkBucketName(bucket);
    checkKey(key);
    const outcome = await this.#groups.do(bucket, { bucket, key, signal });
    if (outcome === 'alone') return deleteObject(this.#context, bucket, key, { signal });
    if (outcome !== 'done') throw outcome.error;
  }

  async #delete(items: readonly DeleteItem[]): Promise<readonly DeletedTogether[]> {
    return items.length < LEAST ? items.map(() => 'alone') : deleteTogether(this.#context, items);
  }
}

/** Deletes objects, and tells of each as soon as that is done. */
export function deleteMany<Item extends DeleteItem>(
  deletes: Deletes,
  items: Iterable<Item> | AsyncIterable<Item>,
): AsyncGenerator<DeleteOutcome<Item>> {
  const nameOf = ({ bucket, key }: Item): string => `${bucket}/${key}`;
  return ofMany(items, nameOf, async (item) => {
    await deletes.delete(item, item);
    return { deleted: true as const };
  });
}
