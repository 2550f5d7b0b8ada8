import { roomOf } from '../../disks/rooms.ts';
import { isStoreError, throwIfAborted } from '../../errors.ts';
import { parseRedundancy } from '../../metadata/redundancy.ts';
import { stripesOf } from '../../metadata/stripes.ts';
import type { StoreContext } from '../protocol/context.ts';
import { readBucket, readObjectMeta } from '../protocol/documents.ts';
import { bucketsOf, forEachKey } from '../protocol/scope.ts';

/** What the store would have to do without a disk. */
export interface Survey {
  /** Chunks and parity chunks that metas say are on the disk, and their bytes. */
  onDisk: number;
  bytesOnDisk: number;
  /** Room for chunks on the other disks. Of several on one file system each tells all of it. */
  roomElsewhere: number;
  /** The widest stripe, or bucket setting, that needs a disk for each shard: `k+m`, whose it is, and how many shards. */
  widest: string;
  widestName: string;
  widestShards: number;
}

/** Reads all metas, to tell what is on a disk. @throws what a read of any of them throws: nobody may be overlooked */
export async function survey(context: StoreContext, disk: string, signal: AbortSignal | undefined): Promise<Survey> {
  const view = await context.lookForReading();
  const found: Survey = { onDisk: 0, bytesOnDisk: 0, roomElsewhere: 0, widest: '', widestName: '', widestShards: 0 };
  const widen = (redundancy: string, name: string, shards: number): void => {
    if (shards > found.widestShards)
      Object.assign(found, { widest: redundancy, widestName: name, widestShards: shards });
  };
  const { belong } = context.members;
  for (const other of view.online) {
    if (other.name !== disk && belong.includes(other.name)) found.roomElsewhere += await roomOf(other);
  }
  for (const bucket of await bucketsOf(context, view, {})) {
    const { document } = await readBucket(context, view, bucket);
    if (document?.redundancy === undefined) continue;
    const { data, parity } = parseRedundancy(document.redundancy);
    widen(document.redundancy, `bucket ${bucket}`, data + parity);
  }
  const look = async (bucket: string, key: string): Promise<void> => {
    throwIfAborted(signal);
    try {
      const meta = await readObjectMeta(context, view, { bucket, key });
      for (const shard of [...meta.chunks, ...meta.parity]) {
        if (shard.disk !== disk) continue;
        found.onDisk++;
        found.bytesOnDisk += shard.size;
      }
      // Chunks without parity can share a disk.
      for (const { chunks, parity } of stripesOf(meta))
        widen(meta.redundancy, `${bucket}/${key}`, parity.length === 0 ? 1 : chunks.length + parity.length);
    } catch (error) {
      if (!isStoreError(error, 'NO_SUCH_KEY', 'NO_SUCH_BUCKET')) throw error;
    }
  };
  await forEachKey(context, view, {}, look);
  return found;
}
