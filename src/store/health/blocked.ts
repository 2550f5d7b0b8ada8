import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { StoreError } from '../../errors.ts';
import type { StoreContext } from '../protocol/context.ts';
import { flushDisks } from '../protocol/flush.ts';
import type { Obstacles } from './obstacles.ts';
import type { Settled } from './settle.ts';
import type { StoreDocument } from '../members/store-document.ts';

/** A document that a disk cannot have, because something stands in its place, or in that of a folder on the way to it. */
export interface BlockedDocument {
  path: string;
  /** The folder that it is in, where that or one above it is no folder; undefined where only its own place is taken. */
  folder: string | undefined;
  isVouchedFor: boolean;
  /** Brings it to all disks; undefined where that failed. */
  settle: () => Promise<Settled | undefined>;
  /** Looks whether all disks of a view have it. */
  look: (view: DiskView) => Promise<Settled>;
}

export interface UnblockOptions {
  obstacles: Obstacles;
  /** Whether all documents of the store have been looked for; and, if so, whether so few disks could list a folder that some may be missing. */
  isWhole: boolean;
  isIncomplete: boolean;
  allowStale: boolean;
  /** Makes the folders that every disk has. */
  makeFolders: (disk: Disk) => Promise<void>;
  signal?: AbortSignal | undefined;
}

type Role = StoreDocument['disks'][number]['role'];

/**
 * Makes way for documents on a disk, and brings them there. From the moment that an obstacle is gone until the last of them
 * has come, the disk says of them that there is none. So it is made a joining disk before, durably: until it has all of them it
 * does not count among those that answer, whatever happens meanwhile.
 * @returns what stays as it is, and why, in words
 */
export async function unblock(
  context: StoreContext,
  disk: Disk,
  documents: readonly BlockedDocument[],
  options: UnblockOptions,
): Promise<string[]> {
  const { obstacles } = options;
  const why = whyFoldersStay(documents, options);
  const stays = why === undefined ? [] : [`disk "${disk.name}": ${why}`];
  // A document in whose place something stands, and that nobody knows for sure, shows as its object's problem.
  const todo = documents.filter(
    ({ folder, isVouchedFor }) => isVouchedFor && (folder === undefined || why === undefined),
  );
  if (todo.length === 0) return stays;
  const role = await suspend(context, disk, options);
  for (const { folder } of todo) while (folder !== undefined && (await obstacles.clear(disk, `${folder}/`)));
  await options.makeFolders(disk);
  let isWhole = true;
  for (const { settle } of todo) isWhole = (await settle()) !== undefined && isWhole;
  const isBack = role === 'joining' || (isWhole && (await resume(context, { disk, role }, todo, options)));
  if (!isBack && !options.isWhole)
    stays.push(`disk "${disk.name}" is joining, until a heal of the whole store has brought it all metas`);
  return stays;
}

/** Once they are gone, the disk says of all that was behind them that there is none, so the others must vouch for all of it. */
function whyFoldersStay(
  documents: readonly BlockedDocument[],
  { isWhole, isIncomplete }: UnblockOptions,
): string | undefined {
  const behind = documents.filter(({ folder }) => folder !== undefined);
  const first = behind.find(({ isVouchedFor }) => !isVouchedFor) ?? (isWhole && !isIncomplete ? undefined : behind[0]);
  if (first === undefined) return undefined;
  const why = isWhole
    ? 'too few other disks answer for it'
    : 'only a heal of the whole store can know all that is behind it';
  return `something stands in the place of a folder of ${first.path}, and stays, because ${why}`;
}

/** Lets a disk count no more among those that answer, and gives back its role. @throws TOO_FEW_DISKS_TO_READ where too few others would */
async function suspend(context: StoreContext, disk: Disk, { allowStale, signal }: UnblockOptions): Promise<Role> {
  let role: Role;
  await context.members.change(context.locks, signal, async (document) => {
    const { disks: set } = context;
    role = roleIn(document, disk);
    if (role === 'joining') return undefined;
    const { online } = await set.look();
    const others = online.filter((other) => other !== disk && set.isVoter(other)).length;
    if (others < (allowStale ? 1 : set.readQuorum)) {
      throw new StoreError(
        'TOO_FEW_DISKS_TO_READ',
        `disk "${disk.name}": what is in the way of metas stays, because ${others} other disks answer for them, and it takes ${set.readQuorum}`,
        { disk: disk.name, expected: set.readQuorum, found: others },
      );
    }
    return withRole(document, disk, 'joining');
  });
  return role;
}

/**
 * Lets the disk count again, if it has got back all that was blocked; the rest it has as before. Tells whether it does: what a
 * commit has kept from it meanwhile is left to the joining of disks.
 */
async function resume(
  context: StoreContext,
  { disk, role }: { disk: Disk; role: Role },
  documents: readonly BlockedDocument[],
  { allowStale, signal }: UnblockOptions,
): Promise<boolean> {
  const changed = await context.members.change(context.locks, signal, async (document) => {
    const view = await context.disks.look();
    if (!view.online.includes(disk) || roleIn(document, disk) !== 'joining') return undefined;
    for (const { look } of documents) {
      const { outcome, problem, blocked, isVouchedFor } = await look(view);
      if (outcome !== 'agreed' || problem !== undefined || blocked.length > 0 || !isVouchedFor) return undefined;
    }
    if ((await flushDisks(context, [disk])).length > 0) return undefined;
    // A disk that has gone meanwhile has answered as if it were empty.
    await context.confirm(view, allowStale);
    const now = await context.disks.look();
    return now.online.includes(disk) ? withRole(document, disk, role) : undefined;
  });
  return changed !== undefined;
}

/** @throws NO_SUCH_DISK */
function roleIn({ disks }: StoreDocument, { name }: Disk): Role {
  const entry = disks.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new StoreError('NO_SUCH_DISK', `there is no disk "${name}" any more`, { disk: name });
  return entry.role;
}

function withRole(document: StoreDocument, { name }: Disk, role: Role): StoreDocument {
  const change = ({ role: _, ...entry }: StoreDocument['disks'][number]): StoreDocument['disks'][number] =>
    role === undefined ? entry : { ...entry, role };
  return { ...document, disks: document.disks.map((entry) => (entry.name === name ? change(entry) : entry)) };
}
