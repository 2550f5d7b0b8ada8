import { reserveOf } from '../../disks/rooms.ts';
import type { DiskRole } from '../../disks/disk-set.ts';
import type { Disk, DiskRoom, DiskState } from '../../disks/disk.ts';
import { isDiskFault, throwIfAborted } from '../../errors.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { newestCopy, readCopies } from '../../metadata/copies.ts';
import { compareAge } from '../../metadata/document.ts';
import { isTombstone } from '../../metadata/meta.ts';
import type { StoreContext } from '../protocol/context.ts';
import { UnreadableFolders, type UnreadableFolder } from '../protocol/folders.ts';
import { forEachKey } from '../protocol/scope.ts';

/** One disk of a store: how it is, and what is on it. */
export interface DiskUsage {
  disk: string;
  /** As `store.json` has it: relative to the store's folder, or absolute. */
  path: string;
  state: DiskState;
  role: DiskRole;
  /** No room for chunks is left but the reserve. */
  isFull: boolean;
  /** Metas that this disk has older than others, or lacks; undefined where it is offline. */
  staleMetas: number | undefined;
  /** Folders of metas that it can't list. */
  unreadable: UnreadableFolder[];
  /** Bytes of its file system; undefined where that can't be told. Disks on one file system each tell all of it. */
  total: number | undefined;
  free: number | undefined;
  /** Bytes of chunks and parity that metas say are on it. */
  used: number;
  /** Objects that have something on it. */
  objects: number;
  /** Chunks and parity chunks on it. */
  chunks: number;
}

export interface UsageOptions {
  signal?: AbortSignal | undefined;
}

/** Looks at every disk, and reads all metas to tell what is on it. @throws TOO_FEW_DISKS_TO_READ */
export async function usage(context: StoreContext, { signal }: UsageOptions): Promise<DiskUsage[]> {
  const view = await context.lookForReading();
  // Taken together: another command may change them while we look.
  const { document, disks: set } = context.members;
  const states = await set.states();
  const disks = new Map<string, DiskUsage>();
  for (const [index, { name, path }] of document.disks.entries()) {
    const state = states[index] ?? { status: 'unreadable', reason: 'it has not been looked at' };
    const room = state.status === 'online' ? await roomAsTold(set.disks[index]) : undefined;
    const isOnline = state.status === 'online';
    disks.set(name, {
      disk: name,
      path,
      state,
      role: set.roleOf(name),
      isFull: isOnline && room !== undefined && room.free <= reserveOf(room.total),
      staleMetas: isOnline ? 0 : undefined,
      total: isOnline ? room?.total : undefined,
      free: isOnline ? room?.free : undefined,
      used: 0,
      objects: 0,
      chunks: 0,
      unreadable: [],
    });
  }
  const count = async (bucket: string, key: string): Promise<void> => {
    throwIfAborted(signal);
    const copies = await readCopies(view.online, metaKind(bucket, key));
    const newest = newestCopy(copies)?.document;
    if (newest === undefined) return;
    for (const copy of copies) {
      const isCurrent = copy.state === 'valid' && compareAge(copy.document, newest) === 0;
      const entry = disks.get(copy.disk.name);
      if (!isCurrent && entry?.staleMetas !== undefined) entry.staleMetas++;
    }
    if (isTombstone(newest)) return;
    const touched = new Set<DiskUsage>();
    for (const shard of [...newest.chunks, ...newest.parity]) {
      const entry = disks.get(shard.disk);
      if (entry === undefined) continue;
      entry.used += shard.size;
      entry.chunks++;
      touched.add(entry);
    }
    for (const entry of touched) entry.objects++;
  };
  const unreadable = new UnreadableFolders();
  await forEachKey(context, view, {}, count, { onUnreadable: unreadable.add, onTooFew: () => undefined });
  for (const folder of unreadable.all()) disks.get(folder.disk)?.unreadable.push(folder);
  return [...disks.values()];
}

async function roomAsTold(disk: Disk | undefined): Promise<DiskRoom | undefined> {
  try {
    return await disk?.room();
  } catch (error) {
    if (isDiskFault(error)) return undefined;
    throw error;
  }
}
