import { removeChunks } from '../../chunks/remove-chunks.ts';
import { writeSmallChunks } from '../../chunks/small-chunks.ts';
import type { WrittenChunks } from '../../chunks/written-chunks.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { isStoreError, must, StoreError } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { CHUNK_SIZE, makeObjectMeta, type ObjectMeta } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import { mayShow, type Published } from '../../metadata/publish.ts';
import { parseRedundancy } from '../../metadata/redundancy.ts';
import { mintId } from '../../metadata/version.ts';
import { mintVersions } from '../protocol/clock.ts';
import type { StoreContext } from '../protocol/context.ts';
import { Operation, type LockedKey } from '../protocol/operation.ts';
import { requireBucket } from '../protocol/read-documents.ts';
import { reclaim } from '../protocol/reclaim.ts';
import type { PutOptions, PutResult } from './put.ts';

/** An object that has been read whole, and has one chunk at most. */
export interface SmallPut extends Address {
  bytes: Uint8Array;
  options: PutOptions;
}

/**
 * What became of a put. `alone`: it has to go by itself, because something about it is not as it mostly is; nothing is known
 * against it, and nothing is left of it.
 */
export type SmallOutcome = { result: PutResult } | { error: unknown } | 'alone';

/** One of the puts, on its way. */
interface Task {
  put: SmallPut;
  /** Id of its upload. */
  id: string;
  redundancy: string;
  outcome: SmallOutcome | undefined;
  written: WrittenChunks | undefined;
}

/** A put whose key is locked. */
interface LockedTask {
  task: Task;
  locked: LockedKey;
}

/**
 * Stores small objects of one bucket, all of them durable or none: step by step as `put` does, each step for all of them. So they
 * share locks of the bucket, looks at the disks, versions, threads and syncs, and no guarantee: none is seen before its chunk
 * and its meta are durable, and each becomes visible, fails and is taken back by itself.
 * @returns what became of each, in their order; it rejects with what would befall every single one of them
 */
export async function putSmall(context: StoreContext, puts: readonly SmallPut[]): Promise<SmallOutcome[]> {
  const [first] = puts;
  if (first === undefined) return [];
  const { durability, signal } = first.options;
  // Who is interrupted with all others is interrupted while it waits, too.
  const common = puts.every(({ options }) => options.signal === signal) ? signal : undefined;
  return Operation.run(context, { durability, signal: common }, (operation) =>
    new SmallUpload(operation, first.bucket, puts).run(),
  );
}

class SmallUpload {
  readonly #operation: Operation;
  readonly #bucket: string;
  readonly #puts: readonly SmallPut[];
  #tasks: readonly Task[] = [];

  constructor(operation: Operation, bucket: string, puts: readonly SmallPut[]) {
    this.#operation = operation;
    this.#bucket = bucket;
    this.#puts = puts;
  }

  async run(): Promise<SmallOutcome[]> {
    this.#tasks = await this.#begin();
    try {
      await this.#write();
      const locked = await this.#lock();
      await this.#commit(locked);
    } catch (error) {
      for (const task of this.#open()) task.outcome = { error };
    }
    await this.#discard();
    return this.#tasks.map(({ outcome }) => must(outcome, 'outcome'));
  }

  /** Those of which it is not known yet what becomes of them. */
  #open(): Task[] {
    return this.#tasks.filter(({ outcome }) => outcome === undefined);
  }

  async #begin(): Promise<Task[]> {
    const { context, session, view } = this.#operation;
    const { buckets, members } = context;
    const settings =
      (await buckets.unchanged(view, this.#bucket)) ?? (await requireBucket(context, view, this.#bucket)).document;
    const keys = new Set<string>();
    return this.#puts.map((put) => {
      const id = mintId();
      const redundancy = put.options.redundancy ?? settings.redundancy ?? members.document.redundancy;
      const { data, parity } = parseRedundancy(redundancy);
      // Of two for one key, one has to commit after the other.
      const isFit = data + parity <= members.belong.length && !keys.has(put.key);
      keys.add(put.key);
      const outcome = isFit && session.tryLock(lockName.upload(id), 'shared') ? undefined : 'alone';
      return { put, id, redundancy, outcome, written: undefined };
    });
  }

  async #write(): Promise<void> {
    const { context, view, durable } = this.#operation;
    const { belong } = context.members;
    const disks = view.online.filter(({ name }) => belong.includes(name));
    const tasks = this.#open();
    const contents = tasks.map(({ put: { bytes }, id, redundancy }) => {
      return { id, bytes, redundancy: parseRedundancy(redundancy) };
    });
    const written = await writeSmallChunks(disks, contents, durable);
    for (const [index, task] of tasks.entries()) {
      task.written = written[index];
      if (task.written === undefined) task.outcome = 'alone';
      else task.put.options.onBytes?.(task.put.bytes.length);
    }
  }

  /** Locks the keys that nobody else has; no put of a group keeps the others waiting for its key. */
  async #lock(): Promise<LockedTask[]> {
    const tasks = this.#open();
    const keys = tasks.map(({ put }) => put.key);
    const found = await this.#operation.tryLockKeys(this.#bucket, keys);
    const locked: LockedTask[] = [];
    for (const [index, task] of tasks.entries()) {
      const lock = found[index];
      if (lock === undefined || !areStillThere(must(task.written, 'chunks'), this.#operation.view, lock))
        task.outcome = 'alone';
      else if (task.put.options.signal?.aborted === true)
        task.outcome = { error: new StoreError('ABORTED', 'interrupted') };
      else locked.push({ task, locked: lock });
    }
    return locked;
  }

  async #commit(all: readonly LockedTask[]): Promise<void> {
    const [first] = all;
    if (first === undefined) return;
    const { session } = this.#operation;
    const copies = all.flatMap(({ locked }) => locked.copies);
    const versions = await mintVersions(this.#operation, { view: first.locked.view, copies }, all.length);
    const createdAt = new Date().toISOString();
    const documents = all.map(({ task, locked }, index) => {
      return { locked, id: task.id, document: makeMeta(task, must(versions[index], 'version'), createdAt) };
    });
    const published = await this.#operation.publishAll(documents);
    for (const [index, { task, locked }] of all.entries()) {
      const { document } = must(documents[index], 'document');
      task.outcome = outcomeOf(document, locked, must(published[index], 'outcome'));
      session.unlock(lockName.key(this.#bucket, task.put.key));
    }
    const replaced = all.filter(({ task }) => task.outcome !== 'alone' && 'result' in must(task.outcome, 'outcome'));
    await reclaim(
      this.#operation,
      first.locked.view,
      replaced.flatMap(({ locked }) => locked.copies),
    );
  }

  /** Removes the chunks of those that were not stored. Where some disk may show the meta, they stay. */
  async #discard(): Promise<void> {
    const { session, view } = this.#operation;
    const unstored = this.#tasks.filter(({ put: { key }, id, outcome }) => {
      if (outcome === undefined || (outcome !== 'alone' && 'result' in outcome)) return false;
      const isShown = outcome !== 'alone' && mayShow(outcome.error, metaKind(this.#bucket, key).path);
      // One that was taken back may have been seen: whoever reads the version finishes on it, and gc removes it later.
      return !isShown && session.tryLock(lockName.upload(id), 'exclusive');
    });
    await removeChunks(
      view.online,
      unstored.flatMap(({ written }) => [...(written?.chunks ?? []), ...(written?.parity ?? [])]),
    );
  }
}

/** Whether the very disks that took the chunks are there still, and not others of the same names. */
function areStillThere({ chunks, parity }: WrittenChunks, began: DiskView, { view, chunksOnly }: LockedKey): boolean {
  const there = [...view.online, ...chunksOnly].filter((disk) => began.online.includes(disk));
  return [...chunks, ...parity].every((shard) => there.some(({ name }) => name === shard.disk));
}

function makeMeta({ put, redundancy, written }: Task, version: string, createdAt: string): ObjectMeta {
  const { bucket, key, bytes, options } = put;
  const { chunks, parity } = must(written, 'chunks');
  return makeObjectMeta({
    bucket,
    key,
    version,
    createdAt,
    size: bytes.length,
    contentType: options.contentType ?? 'application/octet-stream',
    chunkSize: CHUNK_SIZE,
    redundancy,
    chunks,
    parity,
  });
}

function outcomeOf(meta: ObjectMeta, { view }: LockedKey, published: Published): SmallOutcome {
  if (isStoreError(published)) return { error: published };
  const failed = published.map(({ disk, error }) => ({ disk: disk.name, reason: error.message }));
  return { result: { meta, offline: view.offline, failed, unwritten: [] } };
}
