import { dirname } from 'node:path/posix';
import { forEachAtOnce } from '../../concurrency/workers.ts';
import { STAGING_FOLDER, type Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { diskFault, throwIfAborted } from '../../errors.ts';
import { BUCKETS_FOLDER, bucketKind, metaKind } from '../../metadata/catalog.ts';
import { commonDocument, type Copy } from '../../metadata/copies.ts';
import { horizonKind } from '../../metadata/horizon.ts';
import { isTombstone, type Meta } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import { CHUNKS_FOLDER, isFanOut } from '../../metadata/shard-file.ts';
import { Blockade, type BlockedDocument } from './blocked.ts';
import type { StoreContext } from '../protocol/context.ts';
import { examine, examineDocuments, examineSlice } from './examine.ts';
import { flushDisks } from '../protocol/flush.ts';
import type { UnreadableFolder } from '../protocol/unreadable-folders.ts';
import { gc, type GcReport } from './gc.ts';
import { Tally, type HealthReport, type ObjectHealth } from './diagnosis.ts';
import { joinDisks } from './joining.ts';
import { ObjectHealer, type SizedAddress } from './heal-objects.ts';
import { Obstacles } from './obstacles.ts';
import { Operation } from '../protocol/operation.ts';
import { Walk, type Scope } from '../protocol/walk.ts';
import type { Settled, SettleOptions } from './decision.ts';
import { Settler, sortOut } from './settle.ts';

export interface HealOptions extends Scope {
  /** Look and report, change nothing. */
  dryRun?: boolean | undefined;
  /** Take what the disks that are left say for the newest, even where they are too few to be sure. */
  allowStale?: boolean | undefined;
  /** Bytes a second, read and written, at most. */
  rate?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Called with each object's health once it has been healed as far as that goes; the most endangered come first. */
  onObject?: ((health: ObjectHealth) => Promise<void> | void) | undefined;
  /** Called with the bytes of all chunks and parity, once they are known. */
  onTotal?: ((bytes: number) => void) | undefined;
  /** Called with the size of chunks and parity chunks that are done with. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** The state after healing, and what was done. With `dryRun`, the state as it is. */
export interface HealReport extends HealthReport {
  /** Chunks and parity chunks that were missing or wrong, and have been written, read back and found right; and their bytes. */
  rebuilt: number;
  rebuiltBytes: number;
  /** Those that were moved away from a disk that is drained or gone. */
  moved: number;
  movedBytes: number;
  /** Objects and buckets whose meta copies have been brought into step. */
  settled: number;
  /** What was removed that no meta refers to; undefined where only a part of the store was healed. */
  gc: GcReport | undefined;
  /** Disks that have got everything they were lacking, and count from now on. */
  joined: string[];
  /** What stood in the way of files or folders of the store, and has this path now, below the store's folder. */
  setAside: string[];
  /** What could not be done, in words. */
  failed: string[];
}

/** An object of which something is known to be missing. */
interface Hurt extends SizedAddress {
  survives: number;
}

/** There is nothing to settle where the folder of all buckets is to be made anew. */
const settleNothing = (): Promise<Settled> =>
  Promise.resolve({ outcome: 'agreed', live: [], blocked: [], isVouchedFor: true });

const ALL_BUCKETS: BlockedDocument = {
  path: 'all buckets',
  folder: BUCKETS_FOLDER,
  isVouchedFor: true,
  settle: settleNothing,
  look: settleNothing,
};

/** Objects that are mended side by side. */
const AT_ONCE = 4;

/**
 * Brings every meta, chunk and parity chunk back to where it should be, whole.
 *
 * First all metas are brought into step and the files looked for; then the objects of which something is missing are
 * mended, those with the least redundancy left before the others; then all the rest is read and, where it is wrong,
 * mended; last, what no meta refers to is removed. All of it may be interrupted at any point and run again.
 * @throws NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_WRITE, STORE_NOT_WRITABLE, ABORTED
 */
export async function heal(context: StoreContext, options: HealOptions): Promise<HealReport> {
  return Operation.run(context, { signal: options.signal }, ({ view }) => new Healing(context, view, options).run());
}

class Healing {
  readonly #context: StoreContext;
  readonly #view: DiskView;
  readonly #options: HealOptions;
  readonly #tally = new Tally();
  readonly #done = { rebuilt: 0, rebuiltBytes: 0, moved: 0, movedBytes: 0, settled: 0 };
  readonly #failed: string[] = [];
  readonly #joined: string[] = [];
  /** Folders that could not be listed when all was mended. */
  #unreadable: UnreadableFolder[] = [];
  readonly #obstacles: Obstacles;
  readonly #isWhole: boolean;
  readonly #blockade: Blockade;
  /** Objects that are hurt, by address. */
  readonly #hurt = new Map<string, Hurt>();

  constructor(context: StoreContext, view: DiskView, options: HealOptions) {
    this.#context = context;
    this.#view = view;
    this.#options = options;
    const { bucket, prefix = '', allowStale = false, signal } = options;
    this.#isWhole = bucket === undefined && prefix === '';
    const obstacles = new Obstacles(context, signal);
    this.#obstacles = obstacles;
    this.#blockade = new Blockade(context, { obstacles, isWhole: this.#isWhole, allowStale, signal });
  }

  async run(): Promise<HealReport> {
    const { dryRun = false, allowStale = false, signal } = this.#options;
    const join = this.#isWhole && !dryRun;
    if (!dryRun) await this.#makeDiskFolders();
    // Otherwise nothing could be read where more disks were replaced than a read can do without.
    if (join && allowStale) await this.#join([]);
    await this.#settleAll();
    if (!dryRun) this.#failed.push(...(await this.#blockade.lift()));
    if (join && allowStale) await this.#join([]);
    await this.#mendAll();
    if (join) await this.#join(this.#failed);
    const swept = this.#isWhole ? await gc(this.#context, { dryRun, signal }) : undefined;
    this.#failed.push(...(swept?.failed ?? []));
    if (!dryRun) this.#failed.push(...(await flushDisks(this.#context, this.#view.online)));
    const [joined, failed, { setAside }] = [this.#joined, this.#failed, this.#obstacles];
    return { ...this.#tally.report(this.#unreadable), ...this.#done, gc: swept, joined, setAside, failed };
  }

  async #join(failed: string[]): Promise<void> {
    const { allowStale = false, signal } = this.#options;
    this.#joined.push(...(await joinDisks(this.#context, { failed, allowStale, obstacles: this.#obstacles, signal })));
  }

  /** A disk that has its mark, but has lost the folders of every disk, can take nothing. */
  async #makeDiskFolders(): Promise<void> {
    for (const disk of this.#view.online) {
      for (const folder of [CHUNKS_FOLDER, STAGING_FOLDER]) while (await this.#obstacles.clear(disk, `${folder}/`));
      try {
        for (const folder of [CHUNKS_FOLDER, STAGING_FOLDER]) await disk.makeFolder(folder);
        await disk.syncFolder('.');
        await this.#clearFanOuts(disk);
      } catch (error) {
        this.#fail(error);
      }
      try {
        await disk.list(BUCKETS_FOLDER);
      } catch (error) {
        // Metas that can't be seen are no answer, and those that are missing are one: that is decided when all are known.
        // What else is wrong with it, the walk will tell.
        if (diskFault(error).details.fault === 'blocked') this.#blockade.add(disk, ALL_BUCKETS);
      }
    }
  }

  /** What stands in the place of a fan-out folder keeps every 256th upload off the disk. One that is missing is made when it is needed. */
  async #clearFanOuts(disk: Disk): Promise<void> {
    for (const { name } of await disk.list(CHUNKS_FOLDER)) {
      const folder = `${CHUNKS_FOLDER}/${name}`;
      if (!isFanOut(name)) continue;
      try {
        await disk.list(folder);
      } catch (error) {
        diskFault(error);
        while (await this.#obstacles.clear(disk, `${folder}/`));
      }
    }
  }

  #fail(error: unknown): void {
    this.#failed.push(diskFault(error).message);
  }

  /** Brings metas into step, and looks which objects lack something. */
  async #settleAll(): Promise<void> {
    const walk = this.#newWalk();
    await this.#settle(horizonKind.path, (settler) => settler.horizon());
    for (const bucket of await walk.buckets()) {
      await this.#settle(bucketKind(bucket).path, (settler) => settler.bucket(bucket));
    }
    const { signal } = this.#options;
    const settler = this.#newSettler();
    let total = 0;
    const onBytes = (bytes: number): void => {
      total += bytes;
    };
    const slices = walk.mapMetas(async (slice) => {
      // What had to be settled is not agreed in the slice, so it is looked at anew.
      await settler.keys(sortOut(slice).rest, ({ bucket, key }, settle) => {
        throwIfAborted(signal);
        return this.#settle(metaKind(bucket, key).path, (anew) => anew.key(bucket, key), settle);
      });
      return examineSlice(this.#context, this.#view, slice, { signal, onBytes });
    });
    for await (const healths of slices) {
      for (const health of healths) {
        if (health === undefined || health.state === 'whole') continue;
        const { bucket, key, size, survives } = health;
        this.#hurt.set(`${bucket}/${key}`, { bucket, key, size, survives });
      }
    }
    this.#options.onTotal?.(total);
  }

  #newWalk(): Walk {
    const onTooFew = (): void => {
      this.#blockade.isIncomplete = true;
    };
    const { allowStale } = this.#options;
    return new Walk(this.#context, this.#view, this.#options, { allowStale, onTooFew });
  }

  #newSettler(view = this.#view, how: Partial<SettleOptions> = {}): Settler {
    const { dryRun = false, allowStale, signal } = this.#options;
    const obstacles = dryRun ? undefined : this.#obstacles;
    return new Settler(this.#context, view, { dryRun, mend: true, allowStale, obstacles, signal, ...how });
  }

  /** @param first how it is settled now, where the walk has looked already */
  async #settle(
    path: string,
    settle: (settler: Settler) => Promise<Settled>,
    first = () => settle(this.#newSettler()),
  ): Promise<Settled | undefined> {
    const { dryRun = false } = this.#options;
    try {
      const settled = await first();
      const { outcome, blocked, isVouchedFor } = settled;
      if (outcome !== 'agreed' || (dryRun && isVouchedFor && blocked.length > 0)) this.#done.settled++;
      for (const { disk, isAbove } of blocked) {
        this.#blockade.add(disk, {
          path,
          folder: isAbove ? dirname(path) : undefined,
          isVouchedFor,
          settle: () => this.#settle(path, settle),
          look: (view) => settle(this.#newSettler(view, { dryRun: true, obstacles: undefined })),
        });
      }
      return settled;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  async #mendAll(): Promise<void> {
    // What could not be listed before may be able to be now.
    const walk = this.#newWalk();
    const documents = examineDocuments(this.#context, this.#view, walk, this.#options.signal);
    for await (const health of documents) await this.#report(health);
    if (this.#options.dryRun === true) await this.#examineObjects(walk);
    else await this.#mendObjects(walk);
    this.#unreadable = walk.unreadable.all();
  }

  async #examineObjects(walk: Walk): Promise<void> {
    const { signal } = this.#options;
    const look = { quick: false, signal, onBytes: this.#onBytes };
    const examineOne = ({ bucket, key }: Address): Promise<ObjectHealth | undefined> =>
      examine(this.#context, bucket, key, look);
    await forEachAtOnce(this.#urgent().flat(), AT_ONCE, async (hurt) => this.#report(await examineOne(hurt)));
    const rest = walk.map(async (one) => (this.#isHurt(one) ? undefined : examineOne(one)));
    for await (const health of rest) await this.#report(health);
  }

  async #mendObjects(walk: Walk): Promise<void> {
    const { rate, signal } = this.#options;
    const [obstacles, onBytes] = [this.#obstacles, this.#onBytes];
    const healer = await ObjectHealer.of(this.#context, this.#view, { obstacles, rate, signal, onBytes });
    await forEachAtOnce(this.#mendUrgent(healer), AT_ONCE, async (hurt) => this.#report(await healer.healAlone(hurt)));
    const rest = walk.mapMetas((slice) => {
      const others = slice.filter((one) => !this.#isHurt(one));
      return healer.heal(others.map(({ bucket, key, copies }) => ({ bucket, key, size: sizeIn(copies) })));
    });
    for await (const healths of rest) for (const health of healths) await this.#report(health);
    Object.assign(this.#done, healer.done);
    this.#failed.push(...healer.failed);
  }

  /** Mends objects that are hurt together, and gives those that have to be mended by themselves, the most endangered first. */
  async *#mendUrgent(healer: ObjectHealer): AsyncGenerator<Hurt> {
    for (const equal of this.#urgent()) yield* await healer.healTogether(equal, (_, health) => this.#report(health));
  }

  /** The objects that are hurt, those that survive as many losses together; those that survive fewest come first. */
  #urgent(): Hurt[][] {
    const bySurvival = new Map<number, Hurt[]>();
    for (const hurt of this.#hurt.values()) {
      const equal = bySurvival.get(hurt.survives);
      if (equal === undefined) bySurvival.set(hurt.survives, [hurt]);
      else equal.push(hurt);
    }
    return [...bySurvival].sort(([a], [b]) => a - b).map(([, equal]) => equal);
  }

  #isHurt({ bucket, key }: Address): boolean {
    return this.#hurt.has(`${bucket}/${key}`);
  }

  readonly #onBytes = (bytes: number): void => {
    this.#tally.addBytes(bytes);
    this.#options.onBytes?.(bytes);
  };

  async #report(health: ObjectHealth | undefined): Promise<void> {
    if (health === undefined) return;
    this.#tally.add(health);
    await this.#options.onObject?.(health);
  }
}

/** The size of an object of which all disks have the same meta. */
function sizeIn(copies: readonly Copy<Meta>[]): number | undefined {
  const meta = commonDocument(copies);
  return meta === undefined || isTombstone(meta) ? undefined : meta.size;
}
