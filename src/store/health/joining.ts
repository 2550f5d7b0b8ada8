import { exhaust } from '../../concurrency/workers.ts';
import type { Disk } from '../../disks/disk.ts';
import { describeOffline } from '../../disks/disk-set.ts';
import { diskFault, throwIfAborted } from '../../errors.ts';
import type { StoreContext } from '../protocol/context.ts';
import { flushDisks } from '../protocol/flush.ts';
import type { Obstacles } from './obstacles.ts';
import { Walk } from '../protocol/walk.ts';
import type { Settled, SettleOptions } from './decision.ts';
import { Settler, sortOut } from './settle.ts';
import type { StoreDocument } from '../members/store-document.ts';

/** How often metas that a commit has kept from some disk meanwhile are brought into step again. */
const TRIES = 3;

export interface CompleteOptions {
  /** Gets what is in the way, in words. */
  failed: string[];
  /** Whether the disks that are left may be too few to know of all that was acknowledged. */
  allowStale: boolean;
  /** Takes what is no file out of the place of metas of joining disks; if not given, it stays, and they don't join. */
  obstacles?: Obstacles | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Makes the joining disks that are there full members: they must have every meta that was ever acknowledged.
 * @returns the names of the disks that have joined
 */
export async function joinDisks(context: StoreContext, options: CompleteOptions): Promise<string[]> {
  const view = await context.lookForWriting();
  const joining = context.disks.disks.filter((disk) => !context.disks.isVoter(disk));
  const away = view.offline.filter(({ disk }) => joining.some(({ name }) => name === disk));
  if (away.length > 0) options.failed.push(`${describeOffline(away)}, so it cannot join`);
  if (joining.length === away.length) return [];
  let joined: string[] = [];
  await changeWhenComplete(context, options, async (document, having) => {
    joined = having.filter((disk) => !context.disks.isVoter(disk)).map(({ name }) => name);
    const disks = document.disks.map((disk) => (joined.includes(disk.name) ? { ...disk, role: undefined } : disk));
    return Promise.resolve({ ...document, disks });
  });
  return joined;
}

/**
 * Changes the store's disks once all metas are on all disks that are there. They are brought into step while commits go
 * on; then, with commits kept out, all are looked at once more, and `change` gets the disks that have all of them.
 */
export async function changeWhenComplete(
  context: StoreContext,
  { failed, allowStale, obstacles, signal }: CompleteOptions,
  change: (document: StoreDocument, having: readonly Disk[]) => Promise<StoreDocument>,
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    throwIfAborted(signal);
    const { problems } = await walkMetas(context, { dryRun: false, mend: true, allowStale, obstacles, signal });
    if (problems.length > 0) {
      failed.push(...problems);
      return false;
    }
    // What is left to write back when commits are kept out is little then.
    await flushDisks(context, (await context.disks.look()).online);
    const changed = await context.members.change(context.locks, signal, async (document) => {
      const walk = await walkMetas(context, { dryRun: true, mend: true, allowStale, signal });
      // The new quorums rest on what has been seen here.
      const unflushed = walk.problems.length === 0 ? await flushDisks(context, walk.having) : [];
      failed.push(...unflushed);
      return walk.problems.length + unflushed.length === 0 ? change(document, walk.having) : undefined;
    });
    if (changed !== undefined) return true;
    if (tries === TRIES) {
      failed.push('other commands keep missing a disk; try again when they have ended');
      return false;
    }
  }
}

/** Brings all metas into step, or looks whether they are; says what is in the way, and which disks were there all the while. */
async function walkMetas(
  context: StoreContext,
  options: SettleOptions,
): Promise<{ problems: string[]; having: Disk[] }> {
  const problems: string[] = [];
  const note = async (settle: () => Promise<Settled>): Promise<void> => {
    try {
      const { outcome, problem, blocked } = await settle();
      if (problem !== undefined) problems.push(problem);
      else if (blocked.length > 0)
        problems.push(...blocked.map(({ disk }) => `disk "${disk.name}": something stands in the way of a meta`));
      else if (options.dryRun && outcome !== 'agreed') problems.push('a meta has not reached all disks');
    } catch (error) {
      problems.push(diskFault(error).message);
    }
  };
  // Only R voters together know of all that was ever acknowledged.
  await context.lookForReading(options.allowStale);
  const view = await context.lookForWriting();
  const settler = new Settler(context, view, options);
  await note(() => settler.horizon());
  const { allowStale } = options;
  const walk = new Walk(context, view, {}, { allowStale, onTooFew: ({ message }) => problems.push(message) });
  for (const bucket of await walk.buckets()) await note(() => settler.bucket(bucket));
  const settled = walk.mapMetas((slice) => settler.keys(sortOut(slice).rest, (_, settle) => note(settle)));
  await exhaust(settled);
  // Which metas a folder holds that can't be listed, or lacks, is not known.
  problems.unshift(...walk.unreadable.reasons());
  await context.confirm(view, allowStale);
  const { online } = await context.disks.look();
  return { problems, having: view.online.filter((disk) => online.includes(disk)) };
}
