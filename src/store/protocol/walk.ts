import { exhaust, forEachAtOnce, mapAtOnce } from '../../concurrency/workers.ts';
import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import type { StoreError } from '../../errors.ts';
import { BUCKETS_FOLDER, bucketFolder } from '../../metadata/catalog.ts';
import type { Copy } from '../../metadata/copies.ts';
import { prefixToFolder } from '../../metadata/key-path.ts';
import { listAll, type FolderFailure, type KeyNode } from '../../metadata/key-tree.ts';
import { readMetaFolder, type FolderPlace, type MetaFolder } from '../../metadata/meta-folder.ts';
import type { Meta } from '../../metadata/meta.ts';
import { checkBucketName, compareUtf8, isBucketName } from '../../metadata/names.ts';
import type { StoreContext } from './context.ts';
import { requireBucket } from './read-documents.ts';
import { SliceSize } from './slice-size.ts';
import { tooFewListed, UnreadableFolders } from './unreadable-folders.ts';

/** Which objects an operation is about: all, those of a bucket, or those whose key begins with `prefix`. */
export interface Scope {
  bucket?: string | undefined;
  prefix?: string | undefined;
}

/** A key that any of the disks has a meta of: one of an object, a tombstone, or a damaged one. */
export interface WalkedKey {
  bucket: string;
  key: string;
  /** Whether some disk could not list the folder that it is in. */
  isInUnreadable: boolean;
}

/** A key, and what each disk of the view said of its meta when the walk came by. */
export interface WalkedMeta extends WalkedKey {
  copies: Copy<Meta>[];
}

/**
 * What a walk does with a slice of metas, keys that follow one another. It is called as soon as they have been read, which
 * may be a few slices before its result is asked for, and several may be at work side by side.
 */
export type SliceWork<Result> = (slice: readonly WalkedMeta[]) => Promise<Result> | Result;

/** A folder of keys, and the disks that have it, or may have it. */
export interface WalkedFolder extends FolderPlace {
  disks: readonly Disk[];
}

/** How a walk deals with what it meets. */
export interface WalkRules {
  /** Be content with what any disk lists. */
  allowStale?: boolean | undefined;
  /**
   * Told where so many disks can't list a folder that objects in it may be overlooked, and what all keys in it begin with;
   * without it, the walk ends with that.
   */
  onTooFew?: ((error: StoreError, prefix: string) => void) | undefined;
  /** Leave such a folder out; otherwise what is listed of it is walked. */
  leaveOut?: boolean | undefined;
  /**
   * Called when a folder has been listed, before anything in it is walked; and when a disk has no meta where it had listed
   * one, before that is told: a disk that has gone looks as if it were empty.
   */
  onLooked?: (() => Promise<void>) | undefined;
  /** Called when all keys in a folder have been given. */
  onLeft?: ((folder: string, disks: readonly Disk[]) => Promise<void>) | undefined;
}

/** The rules of who tells of the folders that disks can't list, and goes on. */
export const GOES_ON: WalkRules = { onTooFew: () => undefined };

/** Objects that are looked at side by side. */
const AT_ONCE = 8;

/** Slices that are read, worked on, or wait to be asked for. While the last of a folder is used, the next folder is listed and read. */
const SLICES_AT_ONCE = 3;

/** Keys that follow one another in a folder. */
interface Run {
  bucket: string;
  folder: MetaFolder;
  nodes: readonly KeyNode[];
}

/** A folder in which all has been given. */
interface Left {
  left: string;
  disks: readonly Disk[];
}

/**
 * A walk over metas: bucket by bucket, folder by folder, in the UTF-8 byte order of the keys. Memory holds the folders that
 * lead to where it is, and a few slices of metas. Objects that come or go meanwhile may or may not be met.
 */
export class Walk {
  /** What could not be listed on the way. */
  readonly unreadable = new UnreadableFolders();
  readonly #context: StoreContext;
  readonly #view: DiskView;
  readonly #scope: Scope;
  readonly #rules: WalkRules;

  constructor(context: StoreContext, view: DiskView, scope: Scope = {}, rules: WalkRules = {}) {
    this.#context = context;
    this.#view = view;
    this.#scope = scope;
    this.#rules = rules;
  }

  /**
   * The buckets of the scope, in the order of their names; of the whole store all that any of the disks has a folder of,
   * deleted ones too. @throws NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_READ if the rules say so
   */
  async buckets(): Promise<string[]> {
    const { bucket } = this.#scope;
    if (bucket !== undefined) {
      checkBucketName(bucket);
      await requireBucket(this.#context, this.#view, bucket);
      return [bucket];
    }
    const names = new Set<string>();
    const failures = await listAll(this.#view.online, BUCKETS_FOLDER, (_, entries) => {
      for (const { name, isFolder } of entries) if (isFolder && isBucketName(name)) names.add(name);
    });
    this.#isToWalk(failures, '');
    return [...names].sort(compareUtf8);
  }

  /** The folder in which a bucket's keys of the scope are. */
  top(bucket: string): WalkedFolder {
    const { prefix = '' } = this.#scope;
    const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const path = [bucketFolder(bucket), ...prefixToFolder(base)].join('/');
    return { bucket, path, prefix: base, disks: this.#view.online };
  }

  /** A bucket's keys of the scope; their metas are not read. @throws TOO_FEW_DISKS_TO_READ if the rules say so */
  async *keys(bucket: string): AsyncGenerator<WalkedKey> {
    for await (const step of this.#steps(this.top(bucket), () => Infinity)) {
      if ('left' in step) await this.#leave(step);
      else yield* keysOf(step);
    }
  }

  /** Works on all metas in a folder, and in those in it, and gives the results in their order. @throws TOO_FEW_DISKS_TO_READ if the rules say so */
  async *metasIn<Result>(folder: WalkedFolder, work: SliceWork<Result>): AsyncGenerator<Result> {
    const size = new SliceSize();
    const steps = this.#steps(folder, () => size.keys);
    const done = mapAtOnce(steps, SLICES_AT_ONCE, async (step) =>
      'left' in step ? step : { result: await work(await this.#read(step, size)) },
    );
    for await (const step of done) {
      if ('left' in step) await this.#leave(step);
      else yield step.result;
    }
  }

  /** The same of what is directly in a folder. */
  async *level<Result>(
    folder: WalkedFolder,
    work: SliceWork<Result>,
  ): AsyncGenerator<{ result: Result } | WalkedFolder> {
    const size = new SliceSize();
    const entries = this.#entries(folder, () => size.keys);
    const done = mapAtOnce(entries, SLICES_AT_ONCE, async (entry) =>
      'nodes' in entry ? { result: await work(await this.#read(entry, size)) } : entry,
    );
    for await (const entry of done) if (!('left' in entry)) yield entry;
  }

  /** Whether there is what is looked for in a folder, or in those in it. It lists and reads no more than it takes to tell. */
  async isAnywhereIn(folder: WalkedFolder, isThere: SliceWork<boolean>): Promise<boolean> {
    const size = new SliceSize(1);
    for await (const step of this.#steps(folder, () => size.keys)) {
      if (!('left' in step) && (await isThere(await this.#read(step, size)))) return true;
    }
    return false;
  }

  /** Runs `work` on every key of the scope, several side by side. @throws TOO_FEW_DISKS_TO_READ, if the rules say so */
  async forEach(work: (key: WalkedKey) => Promise<void>): Promise<void> {
    for (const bucket of await this.buckets()) {
      await forEachAtOnce(this.keys(bucket), AT_ONCE, work);
      await this.#confirm();
    }
  }

  /** The same, and gives the results in the order of the keys. */
  async *map<Result>(work: (key: WalkedKey) => Promise<Result>): AsyncGenerator<Result> {
    for (const bucket of await this.buckets()) {
      yield* mapAtOnce(this.keys(bucket), AT_ONCE, work);
      await this.#confirm();
    }
  }

  /** Works on all metas of the scope, and gives the results in their order. @throws TOO_FEW_DISKS_TO_READ, if the rules say so */
  async *mapMetas<Result>(work: SliceWork<Result>): AsyncGenerator<Result> {
    for (const bucket of await this.buckets()) {
      yield* this.metasIn(this.top(bucket), work);
      await this.#confirm();
    }
  }

  /** Runs `work` on every meta of the scope, several side by side. @throws TOO_FEW_DISKS_TO_READ, if the rules say so */
  async forEachMeta(work: (meta: WalkedMeta) => Promise<void>): Promise<void> {
    await exhaust(this.mapMetas((slice) => forEachAtOnce(slice, AT_ONCE, work)));
  }

  /** A disk that has gone meanwhile has no keys either. */
  #confirm(): Promise<void> {
    return this.#context.confirm(this.#view, this.#rules.allowStale);
  }

  /** The runs of keys of a folder, and of those in it, each of so many keys at most. */
  async *#steps(folder: WalkedFolder, most: () => number): AsyncGenerator<Run | Left> {
    for await (const entry of this.#entries(folder, most)) {
      if ('path' in entry) yield* this.#steps(entry, most);
      else yield entry;
    }
  }

  /** What is directly in a folder, in its order. */
  async *#entries(folder: WalkedFolder, most: () => number): AsyncGenerator<Run | WalkedFolder | Left> {
    const { bucket } = folder;
    const listed = await readMetaFolder(this.#view.online, folder.disks, folder);
    await this.#rules.onLooked?.();
    if (!this.#isToWalk(listed.failures, folder.prefix)) return;
    const wanted = listed.nodes.filter(({ name }) => name.startsWith(this.#scope.prefix ?? ''));
    wanted.sort((a, b) => compareUtf8(a.name, b.name));
    for (let next = 0; next < wanted.length;) {
      const nodes = keysFrom(wanted, next, most());
      if (nodes.length > 0) yield { bucket, folder: listed, nodes };
      next += nodes.length;
      const node = wanted[next];
      if (node?.folder === undefined) continue;
      const { name, folder: path, disks } = node;
      yield { bucket, path, prefix: name, disks };
      yield { left: path, disks };
      next++;
    }
    for (const { folder: left, disks } of listed.parts) yield { left, disks };
  }

  async #read(run: Run, size: SliceSize): Promise<WalkedMeta[]> {
    const copies = await run.folder.copiesOf(run.nodes);
    size.learn(copies);
    if (run.nodes.some(({ disks }, index) => hasVanished(copies[index] ?? [], disks))) await this.#rules.onLooked?.();
    return keysOf(run).map((key, index) => ({ ...key, copies: copies[index] ?? [] }));
  }

  async #leave({ left, disks }: Left): Promise<void> {
    await this.#rules.onLeft?.(left, disks);
  }

  /** Notes what could not be listed, and tells whether to walk what could. @throws TOO_FEW_DISKS_TO_READ, if the rules say so */
  #isToWalk(failures: readonly FolderFailure[], prefix: string): boolean {
    const { allowStale, onTooFew, leaveOut } = this.#rules;
    for (const failure of failures) this.unreadable.add(failure);
    const errors = tooFewListed(this.#context.disks, this.#view, failures, allowStale);
    for (const error of errors) {
      if (onTooFew === undefined) throw error;
      onTooFew(error, prefix);
    }
    return errors.length === 0 || leaveOut !== true;
  }
}

/** The keys from a place on, so many at most, up to the next folder. */
function keysFrom(nodes: readonly KeyNode[], from: number, most: number): KeyNode[] {
  let to = from;
  while (to < nodes.length && to - from < most && nodes[to]?.folder === undefined) to++;
  return nodes.slice(from, to);
}

function keysOf({ bucket, folder, nodes }: Run): WalkedKey[] {
  const isInUnreadable = folder.failures.length > 0;
  return nodes.map(({ name }) => ({ bucket, key: name, isInUnreadable }));
}

/** Whether a disk that has listed a meta has none. */
function hasVanished(copies: readonly Copy<Meta>[], holders: readonly Disk[]): boolean {
  return copies.some(({ state, disk }) => state === 'absent' && holders.includes(disk));
}
