import * as v from 'valibot';
import { StoreError } from '../../errors.ts';
import { FORMAT } from '../../metadata/document.ts';
import { isDiskName } from '../../metadata/names.ts';
import { isRedundancy } from '../../metadata/redundancy.ts';

/** Name of the document that makes a folder a store. */
export const STORE_FILE = 'store.json';

const uuid = v.pipe(v.string(), v.uuid());

const storeSchema = v.object({
  format: v.literal(FORMAT),
  id: uuid,
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
  redundancy: v.pipe(v.string(), v.check(isRedundancy, 'not k+m')),
  durability: v.picklist(['fsync', 'none']),
  disks: v.pipe(
    v.array(
      v.object({
        name: v.pipe(v.string(), v.check(isDiskName, 'not a disk name')),
        id: uuid,
        path: v.pipe(v.string(), v.nonEmpty()),
        role: v.optional(v.picklist(['joining', 'draining'])),
      }),
    ),
    v.nonEmpty(),
    v.check((disks) => new Set(disks.map((disk) => disk.name)).size === disks.length, 'two disks have one name'),
  ),
});

/** `store.json`: the store's id, its settings, and its disks with their places (relative to the store's folder, or absolute). */
export type StoreDocument = v.InferOutput<typeof storeSchema>;

/** What `store.json` says of a disk. */
export type DiskEntry = StoreDocument['disks'][number];

/** `fsync`: acknowledged means on stable storage. `none`: acknowledged means handed to the system. */
export type Durability = StoreDocument['durability'];

/** @throws NO_SUCH_DISK */
export function findDisk(document: StoreDocument, name: string): DiskEntry {
  const disk = document.disks.find((candidate) => candidate.name === name);
  if (disk === undefined) throw new StoreError('NO_SUCH_DISK', `there is no disk "${name}"`, { disk: name });
  return disk;
}

export function withDisk(document: StoreDocument, name: string, disk: DiskEntry): StoreDocument {
  return { ...document, disks: document.disks.map((other) => (other.name === name ? disk : other)) };
}

export function formatStoreDocument(document: StoreDocument): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** @throws UNKNOWN_FORMAT, STORE_DAMAGED */
export function parseStoreDocument(text: string, path: string): StoreDocument {
  const damaged = (reason: string, cause?: unknown): StoreError =>
    new StoreError('STORE_DAMAGED', `${path} is damaged: ${reason}`, { path }, cause);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw damaged('it is not JSON', error);
  }
  const parsed = v.safeParse(storeSchema, json);
  if (parsed.success) return parsed.output;
  const format = v.safeParse(v.looseObject({ format: v.number() }), json);
  if (format.success && format.output.format !== FORMAT) {
    const message = `${path} has format ${format.output.format}; this program knows format ${FORMAT}`;
    throw new StoreError('UNKNOWN_FORMAT', message, { path });
  }
  const issue = parsed.issues[0];
  throw damaged(`${v.getDotPath(issue) ?? 'document'}: ${issue.message}`);
}
