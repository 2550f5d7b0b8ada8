import type { DiskStatus } from '../../disks/disk.ts';
import { placeAt } from '../../disks/drivers.ts';
import type { Membership } from '../members/membership.ts';
import type { DiskEntry, StoreDocument } from '../members/store-document.ts';

export interface DiskOptions {
  signal?: AbortSignal | undefined;
}

const SHOWN_REASONS = 3;

/** How a disk is that would be where the entry says. */
export async function stateAt(
  { root, attendance }: Membership,
  { id: storeId }: StoreDocument,
  { name, id, path }: DiskEntry,
): Promise<DiskStatus> {
  return (await attendance.disk(placeAt(path, root), { storeId, name, id }).state()).status;
}

/** The first of many reasons; what is wrong with a folder is wrong with everything in it. */
export function inShort(reasons: readonly string[]): string {
  const more = reasons.length - SHOWN_REASONS;
  return [...reasons.slice(0, SHOWN_REASONS), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
