import { reserveOf } from '../../disks/rooms.ts';
import type { DiskRole } from '../../disks/disk-set.ts';
import type { DiskState } from '../../disks/disk.ts';
import { ignoreDiskFault } from '../../errors.ts';
import { newestCopy } from '../../metadata/copies.ts';
import type { Membership } from '../members/membership.ts';
import type { StoreContext } from '../protocol/context.ts';
import type { UnreadableFolder } from '../protocol/unreadable-folders.ts';
import { GOES_ON, Walk, type Scope } from '../protocol/walk.ts';
import { Census, type Holding } from './census.ts';

/** How a disk of a store is. */
export interface DiskLook {
  disk: string;
  /** As `store.json` has it: relative to the store's folder, or absolute. */
  path: string;
  state: DiskState;
  role: DiskRole;
  /** No room for chunks is left but the reserve. */
  isFull: boolean;
  /** Bytes of its file system; undefined where that can't be told. Disks on one file system each tell all of it. */
  total: number | undefined;
  free: number | undefined;
}

/** How a disk is, and what is on it. */
export interface DiskUsage extends DiskLook, Holding {
  /** Metas that it has older than others, or lacks; undefined where it is offline. */
  staleMetas: number | undefined;
  /** Folders of metas that it can't list. */
  unreadable: UnreadableFolder[];
}

/** The scope says which objects are counted. */
export interface UsageOptions extends Scope {
  signal?: AbortSignal | undefined;
}

/** Looks at every disk, and reads all metas to tell what is on it. @throws NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_READ */
export async function usage(context: StoreContext, options: UsageOptions): Promise<DiskUsage[]> {
  const view = await context.lookForReading();
  const looks = await lookAtAll(context.members);
  const walk = new Walk(context, view, options, GOES_ON);
  const census = new Census();
  await census.count(walk, (copies) => newestCopy(copies)?.document, options.signal);
  const unreadable = walk.unreadable.all();
  return looks.map((look) => ({
    ...look,
    ...census.holdingOf(look.disk),
    staleMetas: look.state.status === 'online' ? census.staleMetasOn(look.disk) : undefined,
    unreadable: unreadable.filter(({ disk }) => disk === look.disk),
  }));
}

/** How each disk is, in the store's order. */
async function lookAtAll({ document, disks: set }: Membership): Promise<DiskLook[]> {
  const states = await set.states();
  const looks: DiskLook[] = [];
  for (const [index, { name, path }] of document.disks.entries()) {
    const state = states[index] ?? { status: 'unreadable', reason: 'it has not been looked at' };
    const room = state.status === 'online' ? await set.disks[index]?.room().catch(ignoreDiskFault) : undefined;
    const isFull = room !== undefined && room.free <= reserveOf(room.total);
    looks.push({ disk: name, path, state, role: set.roleOf(name), isFull, total: room?.total, free: room?.free });
  }
  return looks;
}
