import * as v from 'valibot';
import type { DiskState } from './disk.ts';

/** Name of the file that marks a disk. */
export const DISK_MARK = 'disk.json';

/** No mark is longer. */
export const MAX_MARK_BYTES = 1024 * 1024;

/** A disk's mark: proves that a folder is the disk that a store means. */
export interface DiskIdentity {
  storeId: string;
  name: string;
  id: string;
}

const markSchema = v.object({
  format: v.literal(1),
  store: v.pipe(v.string(), v.uuid()),
  name: v.string(),
  id: v.pipe(v.string(), v.uuid()),
});

/** The text of `disk.json`. */
export function formatDiskMark(identity: DiskIdentity): string {
  const mark = { format: 1, store: identity.storeId, name: identity.name, id: identity.id };
  return `${JSON.stringify(mark, undefined, 2)}\n`;
}

/** What the text of a `disk.json` says, or undefined where it says nothing. */
export function readDiskMark(text: string): DiskIdentity | undefined {
  try {
    const { store, name, id } = v.parse(markSchema, JSON.parse(text));
    return { storeId: store, name, id };
  } catch {
    return undefined;
  }
}

/** Compares the text of a `disk.json` with the disk that the store expects there. */
export function compareDiskMark(text: string, expected: DiskIdentity): DiskState {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { status: 'unreadable', reason: `its ${DISK_MARK} is not JSON` };
  }
  const parsed = v.safeParse(markSchema, json);
  if (!parsed.success) return { status: 'unreadable', reason: `its ${DISK_MARK} is not of format 1` };
  const mark = parsed.output;
  if (mark.store !== expected.storeId)
    return { status: 'foreign', reason: `it belongs to another store (${mark.store})` };
  if (mark.name !== expected.name) return { status: 'swapped', reason: `it is this store's disk "${mark.name}"` };
  if (mark.id !== expected.id)
    return { status: 'former', reason: `it was "${mark.name}" until that was replaced (${mark.id})` };
  return { status: 'online', reason: 'online' };
}
