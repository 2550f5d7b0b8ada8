import * as path from 'node:path';
import { Budget } from '../../concurrency/budget.ts';
import { checkBucketName, checkKey, type Address } from '../../metadata/names.ts';
import type { ObjectMeta } from '../../metadata/meta.ts';
import type { StoreContext } from '../protocol/context.ts';
import { getToFile } from './get-to-file.ts';
import { LARGE_AT_ONCE, ofMany, type Outcome } from './many.ts';
import type { GetOptions } from './open-object.ts';
import { SMALL } from './puts.ts';
import { SmallGets } from './small-gets.ts';

/** An object to be read into a file: which, where to, and how. */
export interface GetItem extends Address, GetOptions {
  file: string;
  /** Bytes of the object, if that is known, as from a list. It only tells how to go about it. */
  size?: number | undefined;
}

/** What became of an item: it is in its file, or why not. */
export type GetOutcome<Item> = Outcome<Item, { meta: ObjectMeta }>;

/** Reads objects into files, and tells of each as soon as that is done. Of several for one file, the one that comes last stays. */
export function getManyToFiles<Item extends GetItem>(
  context: StoreContext,
  items: Iterable<Item> | AsyncIterable<Item>,
): AsyncGenerator<GetOutcome<Item>> {
  const small = new SmallGets(context);
  const large = new Budget(LARGE_AT_ONCE);
  const get = async ({ bucket, key, file, size = 0, ...options }: GetItem): Promise<ObjectMeta> => {
    checkBucketName(bucket);
    checkKey(key);
    const isPlain = size <= SMALL && options.range === undefined && options.allowStale !== true;
    const meta = isPlain ? await small.get({ bucket, key }, path.resolve(file), options.signal) : 'alone';
    if (meta === 'alone') return large.spend(1, () => getToFile(context, bucket, key, file, options));
    if (meta.size > 0) options.onBytes?.(meta.size);
    return meta;
  };
  const nameOf = ({ file }: Item): string => path.resolve(file);
  return ofMany(items, nameOf, async (item) => ({ meta: await get(item) }));
}
