import { ShardReader } from '../../chunks/shard-reader.ts';
import type { Disk } from '../../disks/disk.ts';
import { STAGING_FOLDER } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { isDiskFault, isStoreError, StoreError, throwIfAborted } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { BUCKETS_FOLDER, bucketKind, metaKind } from '../../metadata/catalog.ts';
import { agreedDocument, readCopies, type Copy } from '../../metadata/copies.ts';
import { CHUNKS_FOLDER, isTombstone, type Meta } from '../../metadata/meta.ts';
import { shardsOf, stripesOf, type Stripe } from '../../metadata/stripes.ts';
import { isVersion, mintId } from '../../metadata/version.ts';
import type { StoreContext } from '../protocol/context.ts';
import { GOES_ON, Walk, type WalkedKey } from '../protocol/walk.ts';

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
      if (!isDiskFault(error)) throw error;
      this.fault = error.message;
    }
    return undefined;
  }
}

async function canWrite({ locks }: StoreContext, probe: Probe): Promise<boolean> {
  const path = `${BUCKETS_FOLDER}/${STAGING_FOLDER}`;
  const session = await locks.open('write');
  try {
    // Locked, so that nobody takes it for left over.
    const id = mintId();
    await session.lock(lockName.version(id), 'shared');
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
  const versions = await probe.run(() => probe.disk.list(CHUNKS_FOLDER));
  for (const { name } of versions?.[0] ?? []) {
    const folder = `${CHUNKS_FOLDER}/${name}`;
    if (isVersion(name) && (await probe.run(() => probe.disk.list(folder))) === undefined) return false;
  }
  return versions !== undefined;
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
  const state = { status: 'unreadable', reason: 'it is to be replaced' } as const;
  const others: DiskView = {
    online: all.online.filter((other) => other !== disk),
    offline: [...all.offline, { disk: disk.name, state }],
  };
  const loss = new Loss(context, disk, all, others, allowStale);
  await new Walk(context, others, {}, { allowStale }).forEach(async (walked) => {
    throwIfAborted(signal);
    if (!(await loss.concerns(walked))) return;
    const { bucket, key } = walked;
    throw new StoreError(
      'DISK_NEEDED',
      `disk "${disk.name}" is needed: ${JSON.stringify(`${bucket}/${key}`)} can be read only with it, and others perhaps too; "store disk drain ${disk.name}" moves off it what can still be read, then replace it`,
      { disk: disk.name, bucket, key },
    );
  });
}

/** What would be lost without a disk. */
class Loss {
  readonly #context: StoreContext;
  readonly #disk: Disk;
  readonly #all: DiskView;
  readonly #others: DiskView;
  readonly #allowStale: boolean;

  constructor(context: StoreContext, disk: Disk, all: DiskView, others: DiskView, allowStale: boolean) {
    this.#context = context;
    this.#disk = disk;
    this.#all = all;
    this.#others = others;
    this.#allowStale = allowStale;
  }

  async concerns({ bucket, key, copies }: WalkedKey): Promise<boolean> {
    const meta = this.#agreed(await copies());
    // What the others can't tell is lost with the disk only if it can be told with it.
    if (meta === 'unknown')
      return this.#agreed(await readCopies(this.#all.online, metaKind(bucket, key))) !== 'unknown';
    if (meta === undefined || isTombstone(meta)) return false;
    const others = new ShardReader(meta, this.#others);
    const whole = new ShardReader(meta, this.#all);
    for (const stripe of stripesOf(meta)) if (await this.#needs(stripe, others, whole)) return true;
    return false;
  }

  #agreed(copies: readonly Copy<Meta>[]): Meta | undefined | 'unknown' {
    try {
      return agreedDocument(this.#context.disks, copies, this.#allowStale);
    } catch (error) {
      if (!isDiskFault(error)) throw error;
      return 'unknown';
    }
  }

  async #needs(stripe: Stripe, others: ShardReader, whole: ShardReader): Promise<boolean> {
    const here = shardsOf(stripe).filter((shard) => shard.disk === this.#disk.name);
    if (here.length === 0) return false;
    let missing = stripe.chunks.length;
    for (const shard of shardsOf(stripe)) if (await succeeds(() => others.checkPresence(shard))) missing--;
    if (missing <= 0) return false;
    for (const shard of here) if (await succeeds(async () => whole.check(shard, await whole.read(shard)))) missing--;
    return missing <= 0;
  }
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
