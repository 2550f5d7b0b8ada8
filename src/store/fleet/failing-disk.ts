import { ShardReader } from '../../chunks/shard-reader.ts';
import { STAGING_FOLDER, type Disk } from '../../disks/disk.ts';
import type { OfflineDisk } from '../../disks/disk-set.ts';
import { diskFault, isDiskFault, isStoreError, StoreError, throwIfAborted } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { BUCKETS_FOLDER, bucketKind, metaKind } from '../../metadata/catalog.ts';
import { agreedDocument, readCopies, type Copy } from '../../metadata/copies.ts';
import { isTombstone, type Meta } from '../../metadata/meta.ts';
import { CHUNKS_FOLDER, isFanOut } from '../../metadata/shard-file.ts';
import { shardsOf, stripesOf, type Stripe } from '../../metadata/stripes.ts';
import { mintId } from '../../metadata/version.ts';
import type { StoreContext } from '../protocol/context.ts';
import { GOES_ON, Walk, type WalkedMeta } from '../protocol/walk.ts';

/** So many metas are read to see whether a disk can. */
const METAS = 100;

/**
 * Looks at a disk that answers its mark as operations use it: lists every folder, reads the first metas, writes and removes
 * a file. Resolves to what is wrong in words, or undefined. What it does not find are chunks that can't be read.
 */
export async function faultOf(
  context: StoreContext,
  disk: Disk,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const probe = new Probe(disk, signal);
  const isWell =
    (await canWrite(context, probe)) &&
    (await probe.run(() => disk.list(STAGING_FOLDER))) !== undefined &&
    (await canListChunks(probe)) &&
    (await canReadMetas(context, probe));
  return isWell ? undefined : probe.fault;
}

/** Calls to one disk, until the first that fails. */
class Probe {
  readonly disk: Disk;
  fault: string | undefined;
  readonly #signal: AbortSignal | undefined;

  constructor(disk: Disk, signal: AbortSignal | undefined) {
    this.disk = disk;
    this.#signal = signal;
  }

  /** The result, in a box; undefined where there is none. */
  async run<T>(call: () => Promise<T>): Promise<[T] | undefined> {
    throwIfAborted(this.#signal);
    try {
      return [await call()];
    } catch (error) {
      this.fault = diskFault(error).message;
      return undefined;
    }
  }
}

async function canWrite({ locks }: StoreContext, probe: Probe): Promise<boolean> {
  const path = `${BUCKETS_FOLDER}/${STAGING_FOLDER}`;
  const session = await locks.open('write');
  try {
    // Locked, so that nobody takes it for left over.
    const id = mintId();
    await session.lock(lockName.upload(id), 'shared');
    const written = async (): Promise<boolean> => {
      try {
        const staged = await probe.disk.stage(path, Buffer.from(id), { id, within: BUCKETS_FOLDER, durable: true });
        await staged.discard();
      } catch (error) {
        // A full disk is no failing one.
        if (!isStoreError(error, 'DISK_FULL')) throw error;
      }
      return true;
    };
    return (await probe.run(written)) !== undefined;
  } finally {
    await session.close();
  }
}

async function canListChunks(probe: Probe): Promise<boolean> {
  const fanOuts = await probe.run(() => probe.disk.list(CHUNKS_FOLDER));
  for (const { name } of fanOuts?.[0] ?? []) {
    const folder = `${CHUNKS_FOLDER}/${name}`;
    if (isFanOut(name) && (await probe.run(() => probe.disk.list(folder))) === undefined) return false;
  }
  return fanOuts !== undefined;
}

/** Walks as everybody does: what stands in the place of a folder shows only beside disks that have the folder. */
async function canReadMetas(context: StoreContext, probe: Probe): Promise<boolean> {
  const walk = new Walk(context, await context.disks.look(), {}, GOES_ON);
  let metas = 0;
  for (const bucket of await walk.buckets()) {
    const { path } = bucketKind(bucket);
    if ((await probe.run(() => probe.disk.read(path))) === undefined) return false;
    for await (const { key } of walk.keys(bucket)) {
      const meta = metaKind(bucket, key).path;
      if (metas++ < METAS && (await probe.run(() => probe.disk.read(meta))) === undefined) return false;
    }
  }
  probe.fault = walk.unreadable.all().find(({ disk }) => disk === probe.disk.name)?.reason;
  return probe.fault === undefined;
}

/**
 * Refuses to do without a disk as long as something can be read only with it. Files on the others are looked for, not
 * read. @throws DISK_NEEDED, TOO_FEW_DISKS_TO_READ
 */
export async function refuseLosing(
  context: StoreContext,
  disk: Disk,
  allowStale: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const all = await context.disks.look();
  const offline: OfflineDisk = { disk: disk.name, state: { status: 'unreadable', reason: 'it is to be replaced' } };
  const others = { online: all.online.filter((other) => other !== disk), offline: [...all.offline, offline] };
  const agreed = (copies: readonly Copy<Meta>[]): Meta | undefined | 'unknown' => {
    try {
      return agreedDocument(context.disks, copies, allowStale);
    } catch (error) {
      if (isDiskFault(error)) return 'unknown';
      throw error;
    }
  };
  const isNeeded = async ({ bucket, key, copies }: WalkedMeta): Promise<boolean> => {
    const meta = agreed(copies);
    // What the others can't tell is lost with the disk only if it can be told with it.
    if (meta === 'unknown') return agreed(await readCopies(all.online, metaKind(bucket, key))) !== 'unknown';
    if (meta === undefined || isTombstone(meta)) return false;
    const [without, whole] = [new ShardReader(meta, others), new ShardReader(meta, all)];
    for (const stripe of stripesOf(meta)) if (await needs(stripe, disk, without, whole)) return true;
    return false;
  };
  await new Walk(context, others, {}, { allowStale }).forEachMeta(async (walked) => {
    throwIfAborted(signal);
    if (!(await isNeeded(walked))) return;
    const { bucket, key } = walked;
    const what = JSON.stringify(`${bucket}/${key}`);
    const advice = `"store disk drain ${disk.name}" moves off it what can still be read, then replace it`;
    const message = `disk "${disk.name}" is needed: ${what} can be read only with it, and others perhaps too; ${advice}`;
    throw new StoreError('DISK_NEEDED', message, { disk: disk.name, bucket, key });
  });
}

/** Whether a stripe can be read with the disk, and not without it. */
async function needs(stripe: Stripe, disk: Disk, without: ShardReader, whole: ShardReader): Promise<boolean> {
  const here = shardsOf(stripe).filter((shard) => shard.disk === disk.name);
  if (here.length === 0) return false;
  let missing = stripe.chunks.length;
  for (const shard of shardsOf(stripe)) if (await succeeds(() => without.checkPresence(shard))) missing--;
  if (missing <= 0) return false;
  for (const shard of here) if (await succeeds(async () => whole.check(shard, await whole.read(shard)))) missing--;
  return missing <= 0;
}

async function succeeds(look: () => Promise<void>): Promise<boolean> {
  try {
    await look();
    return true;
  } catch (error) {
    if (!isDiskFault(error)) throw error;
    return false;
  }
}
