import { isStoreError, must } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import type { Address } from '../../metadata/names.ts';
import type { StoreContext } from '../protocol/context.ts';
import { Operation, type LockedKey } from '../protocol/operation.ts';
import { noSuchKey } from '../protocol/read-documents.ts';
import { reclaim } from '../protocol/reclaim.ts';
import { isThere, retractObject, type DeleteOptions } from './delete.ts';

/**
 * What became of a delete. `alone`: it has to go by itself, because something about it is not as it mostly is; nothing has been
 * done for it.
 */
export type DeletedTogether = 'done' | 'alone' | { error: unknown };

/** An object whose key is locked. */
interface Task {
  /** Its place in the group. */
  index: number;
  address: Address;
  locked: LockedKey;
  wasThere: boolean;
}

/**
 * Deletes objects of one bucket step by step as `deleteObject` does, each step for all of them: so they share locks of the bucket,
 * looks at the disks, threads and syncs. Where not all disks are there, each goes alone.
 * @returns what became of each, in their order; it rejects with what would befall every single one of them
 */
export async function deleteTogether(
  context: StoreContext,
  items: readonly (Address & DeleteOptions)[],
): Promise<DeletedTogether[]> {
  const outcomes = items.map((): DeletedTogether => 'alone');
  const [first] = items;
  if (first === undefined) return outcomes;
  // Who is interrupted with all others is interrupted while it waits, too.
  const signal = items.every((item) => item.signal === first.signal) ? first.signal : undefined;
  await Operation.run(context, { signal }, async (operation) => {
    if (operation.view.offline.length > 0) return;
    const tasks = await lockAll(operation, first.bucket, items);
    const [view] = tasks.map(({ locked }) => locked.view);
    if (view === undefined || view.offline.length > 0 || !(await context.disks.areAllOnline())) return;
    const failed = await removeMetas(operation, tasks);
    // A disk that has gone looks as if it had nothing to remove.
    const isSure = await context.disks.areAllOnline().catch((error: unknown) => {
      if (isStoreError(error)) return false;
      throw error;
    });
    const retracted: Task[] = [];
    for (const task of tasks) {
      try {
        // Under the same lock, and with what the disks had before: it knows what to make of it, and how to take it back. A
        // removal that failed, perhaps in its sync, may come undone, whatever a second sync says.
        const hasFailed = failed.has(task);
        if (!isSure || hasFailed) await retractObject(operation, task.locked, task.address, !hasFailed);
        retracted.push(task);
        outcomes[task.index] = 'done';
      } catch (error) {
        outcomes[task.index] = { error };
      }
    }
    for (const { address } of tasks) operation.session.unlock(lockName.key(address.bucket, address.key));
    await reclaim(
      operation,
      view,
      retracted.flatMap(({ locked }) => locked.copies),
    );
    for (const { index, wasThere, address } of retracted)
      if (!wasThere) outcomes[index] = { error: noSuchKey(address.bucket, address.key) };
  });
  return outcomes;
}

/** Locks the keys that nobody else has; of several items for one key, the first. */
async function lockAll(
  operation: Operation,
  bucket: string,
  items: readonly (Address & DeleteOptions)[],
): Promise<Task[]> {
  const places = new Map<string, number>();
  for (const [index, { key }] of items.entries()) if (!places.has(key)) places.set(key, index);
  const found = await operation.tryLockKeys(bucket, [...places.keys()]);
  return [...places].flatMap(([key, index], at): Task[] => {
    const locked = found[at];
    if (locked === undefined || must(items[index], 'item').signal?.aborted === true) return [];
    try {
      return [{ index, address: { bucket, key }, locked, wasThere: isThere(operation.context, locked.copies) }];
    } catch (error) {
      if (isStoreError(error)) return [];
      throw error;
    }
  });
}

/** Removes the metas from all disks, each disk all of its own at once, and tells which objects that failed for somewhere. */
async function removeMetas({ durable }: Operation, tasks: readonly Task[]): Promise<Set<Task>> {
  const failed = new Set<Task>();
  const files = tasks.map(({ locked: { kind } }) => ({ path: kind.path, within: kind.within }));
  const disks = new Set(tasks.flatMap(({ locked }) => locked.view.online));
  await Promise.all(
    [...disks].map(async (disk) => {
      for (const index of (await disk.removeMany(files, { durable })).keys()) failed.add(must(tasks[index], 'task'));
    }),
  );
  return failed;
}
