import type { DiskStatus } from '../../disks/disk.ts';
import { placeAt } from '../../disks/drivers.ts';
import { StoreError } from '../../errors.ts';
import type { Membership } from '../members/membership.ts';
import type { StoreDocument } from '../members/store-document.ts';

export interface DiskOptions {
  signal?: AbortSignal | undefined;
}

/** What `store.json` says of a disk. */
export type DiskEntry = StoreDocument['disks'][number];

const SHOWN_REASONS = 3;

/** @throws NO_SUCH_DISK */
export function findDisk(document: StoreDocument, name: string): DiskEntry {
  const disk = document.disks.find((candidate) => candidate.name === name);
  if (disk === undefined) throw new StoreError('NO_SUCH_DISK', `there is no disk "${name}"`, { disk: name });
  return disk;
}

export function withDisk(document: StoreDocument, name: string, disk: DiskEntry): StoreDocument {
  return { ...document, disks: document.disks.map((other) => (other.name === name ? disk : other)) };
}

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
