import { roomOf } from '../../disks/rooms.ts';
import { agreedDocument } from '../../metadata/copies.ts';
import { parseRedundancy } from '../../metadata/redundancy.ts';
import type { StoreContext } from '../protocol/context.ts';
import { readBucket } from '../protocol/read-documents.ts';
import { Walk } from '../protocol/walk.ts';
import { Census, type Holding, type Widest } from './census.ts';

/** What the store would have to do without a disk. */
export interface Survey {
  holding: Holding;
  /** Room for chunks on the other disks. Of several on one file system each tells all of it. */
  roomElsewhere: number;
  /** Of stripes and of buckets' settings. */
  widest: Widest;
}

/** Reads all metas, to tell what is on a disk. @throws what a read of any of them throws: nobody may be overlooked */
export async function survey(context: StoreContext, disk: string, signal: AbortSignal | undefined): Promise<Survey> {
  const view = await context.lookForReading();
  const { belong } = context.members;
  let roomElsewhere = 0;
  for (const other of view.online) {
    if (other.name !== disk && belong.includes(other.name)) roomElsewhere += await roomOf(other);
  }
  const walk = new Walk(context, view);
  const census = new Census();
  for (const bucket of await walk.buckets()) {
    const { document } = await readBucket(context, view, bucket);
    if (document?.redundancy === undefined) continue;
    const { data, parity } = parseRedundancy(document.redundancy);
    census.widen(document.redundancy, `bucket ${bucket}`, data + parity);
  }
  await census.count(walk, (copies) => agreedDocument(context.disks, copies, false), signal);
  return { holding: census.holdingOf(disk), roomElsewhere, widest: census.widest };
}
