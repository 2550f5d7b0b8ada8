import { must } from '../errors.ts';
import { isVersion } from './version.ts';

/** Where the chunks of all uploads are on a disk. */
export const CHUNKS_FOLDER = 'chunks';

/** What a damaged chunk's file is called while its repair is not yet proven: its name, and this. */
export const SET_ASIDE = '.corrupt';

const FAN_OUT = /^[0-9a-f]{2}$/;

/** The folder is named by the last two digits of the id: its first ones are the time. */
const SHARD_FILE = /^chunks\/([0-9a-f]{2})\/([0-9a-f-]{34}\1)\.\d{6}\.(?:chunk|parity\d{1,2})$/;

/** The fan-out folder, below a disk, in which an upload's chunks are. */
export function fanOutOf(id: string): string {
  return `${CHUNKS_FOLDER}/${id.slice(-2)}`;
}

/** Whether something in `chunks/` has the name of a fan-out folder. */
export function isFanOut(name: string): boolean {
  return FAN_OUT.test(name);
}

/** Path below its disk of data chunk `order` of an upload. */
export function chunkFile(id: string, order: number): string {
  return `${shardFile(id, order)}.chunk`;
}

/** Path below its disk of parity row `row` of an upload's stripe that begins with chunk `order`. */
export function parityFile(id: string, order: number, row: number): string {
  return `${shardFile(id, order)}.parity${row}`;
}

function shardFile(id: string, order: number): string {
  return `${fanOutOf(id)}/${id}.${String(order).padStart(6, '0')}`;
}

/** The id of the upload whose chunk or parity chunk is at a path below a disk; undefined where the path is not that of one. */
export function uploadIdOf(path: string): string | undefined {
  const id = SHARD_FILE.exec(path)?.[2];
  return id !== undefined && isVersion(id) ? id : undefined;
}

/** The id of a shard's upload. */
export function uploadOf({ file }: { file: string }): string {
  return must(uploadIdOf(file), 'upload of a chunk');
}

/** Shards by the ids of their uploads. */
export function byUpload<T extends { file: string }>(shards: Iterable<T>): Map<string, T[]> {
  const uploads = new Map<string, T[]>();
  for (const shard of shards) {
    const id = uploadOf(shard);
    const known = uploads.get(id);
    if (known === undefined) uploads.set(id, [shard]);
    else known.push(shard);
  }
  return uploads;
}
