import { forEachAtOnce, mapAtOnce } from '../../concurrency/workers.ts';
import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import type { StoreError } from '../../errors.ts';
import { BUCKETS_FOLDER, bucketFolder } from '../../metadata/catalog.ts';
import type { Copy } from '../../metadata/copies.ts';
import { prefixToFolder } from '../../metadata/key-path.ts';
import { listAll, type FolderFailure } from '../../metadata/key-tree.ts';
import { readMetaFolder, type FolderPlace } from '../../metadata/meta-folder.ts';
import type { Meta } from '../../metadata/meta.ts';
import { checkBucketName, compareUtf8, isBucketName } from '../../metadata/names.ts';
import type { StoreContext } from './context.ts';
import { requireBucket } from './read-documents.ts';
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
  /** Reads what each disk of the view says of its meta. */
  copies: () => Promise<Copy<Meta>[]>;
}

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
  /** Called when a folder has been listed, before anything in it is walked. */
  onListed?: (() => Promise<void>) | undefined;
  /** Called when all keys in a folder have been given; some may still be worked on. */
  onLeft?: ((folder: string, disks: readonly Disk[]) => Promise<void>) | undefined;
}

/** The rules of who tells of the folders that disks can't list, and goes on. */
export const GOES_ON: WalkRules = { onTooFew: () => undefined };

/** Objects that are looked at side by side. */
const AT_ONCE = 8;

/**
 * A walk over metas: bucket by bucket, folder by folder, in the UTF-8 byte order of the keys. Memory holds the folders that
 * lead to where it is. Objects that come or go meanwhile may or may not be met.
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

  /** A bucket's keys of the scope. @throws TOO_FEW_DISKS_TO_READ if the rules say so */
  keys(bucket: string): AsyncGenerator<WalkedKey> {
    return this.keysIn(this.top(bucket));
  }

  /** The same of all keys in a folder, and in those in it. */
  async *keysIn(folder: WalkedFolder): AsyncGenerator<WalkedKey> {
    for await (const entry of this.entriesOf(folder)) {
      if ('key' in entry) yield entry;
      else yield* this.keysIn(entry);
    }
  }

  /** The same of what is directly in a folder. */
  async *entriesOf(folder: WalkedFolder): AsyncGenerator<WalkedKey | WalkedFolder> {
    const { onListed, onLeft } = this.#rules;
    const { bucket } = folder;
    const { nodes, parts, failures, copiesOf } = await readMetaFolder(this.#view.online, folder.disks, folder);
    await onListed?.();
    if (!this.#isToWalk(failures, folder.prefix)) return;
    const wanted = nodes.filter(({ name }) => name.startsWith(this.#scope.prefix ?? ''));
    for (const node of wanted.sort((a, b) => compareUtf8(a.name, b.name))) {
      const { name, folder: path, disks } = node;
      if (path === undefined) {
        yield { bucket, key: name, isInUnreadable: failures.length > 0, copies: () => copiesOf(node) };
      } else {
        yield { bucket, path, prefix: name, disks };
        await onLeft?.(path, disks);
      }
    }
    for (const { folder: path, disks } of parts) await onLeft?.(path, disks);
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

  /** A disk that has gone meanwhile has no keys either. */
  #confirm(): Promise<void> {
    return this.#context.confirm(this.#view, this.#rules.allowStale);
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
