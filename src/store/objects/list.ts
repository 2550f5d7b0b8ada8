import { mapAtOnce } from '../../concurrency/workers.ts';
import { isDiskFault, type StoreError } from '../../errors.ts';
import { agreedDocument } from '../../metadata/copies.ts';
import { isTombstone, type ObjectMeta } from '../../metadata/meta.ts';
import { checkBucketName } from '../../metadata/names.ts';
import type { StoreContext } from '../protocol/context.ts';
import { requireBucket } from '../protocol/read-documents.ts';
import { Walk, type WalkedFolder, type WalkedKey, type WalkRules } from '../protocol/walk.ts';

export interface ListOptions {
  /** Only keys that begin with it. */
  prefix?: string | undefined;
  /** Folds all keys under one "folder", such as `photos/`, into one entry. */
  folders?: boolean | undefined;
  allowStale?: boolean | undefined;
  /**
   * Told of each key whose meta too few disks can give, and of each prefix, ending in `/` or empty, whose keys too few disks
   * can list; without it, the list fails at the first.
   */
  onDamaged?: ((key: string, error: StoreError) => void) | undefined;
}

/** An object in a list. */
export interface ListedObject {
  kind: 'object';
  key: string;
  size: number;
  version: string;
  createdAt: string;
  contentType: string;
}

/** All keys that begin with `prefix`, which ends in `/`. */
export interface ListedFolder {
  kind: 'folder';
  prefix: string;
}

export type Listed = ListedObject | ListedFolder;

/** Metas read side by side. */
const READ_AHEAD = 16;

/**
 * The objects of a bucket in the UTF-8 byte order of their keys, read folder by folder: memory is bounded by the
 * largest folder. Objects that come or go while the list runs may or may not be in it.
 * @throws NO_SUCH_BUCKET, META_DAMAGED for a key whose meta too few disks can give, TOO_FEW_DISKS_TO_READ
 */
export async function* list(context: StoreContext, bucket: string, options: ListOptions): AsyncGenerator<Listed> {
  checkBucketName(bucket);
  const { prefix, folders = false, allowStale = false } = options;
  const view = await context.lookForReading(allowStale);
  await requireBucket(context, view, bucket, allowStale);
  // What is given is believed at once, so it can't wait for the end of the walk.
  const onListed = (): Promise<void> => context.confirm(view, allowStale);
  const onTooFew: WalkRules['onTooFew'] = options.onDamaged && ((error, base) => options.onDamaged?.(base, error));
  const walk = new Walk(context, view, { bucket, prefix }, { allowStale, onListed, onTooFew, leaveOut: true });
  yield* new Listing(context, walk, options).of(walk.top(bucket), folders);
}

class Listing {
  readonly #context: StoreContext;
  readonly #walk: Walk;
  readonly #options: ListOptions;

  constructor(context: StoreContext, walk: Walk, options: ListOptions) {
    this.#context = context;
    this.#walk = walk;
    this.#options = options;
  }

  /** @param isFolded whether folders in it are entries of their own */
  async *of(folder: WalkedFolder, isFolded: boolean): AsyncGenerator<Listed> {
    const found = isFolded ? this.#walk.entriesOf(folder) : this.#walk.keysIn(folder);
    const entries = mapAtOnce(found, READ_AHEAD, async (entry) => ('key' in entry ? this.#read(entry) : entry));
    for await (const entry of entries) {
      if (entry === undefined) continue;
      if ('version' in entry) yield toListed(entry);
      else if (await this.#hasObject(entry)) yield { kind: 'folder', prefix: entry.prefix };
    }
  }

  /** Folders may hold nothing but tombstones. */
  async #hasObject(folder: WalkedFolder): Promise<boolean> {
    // One after the other: mostly the first is one, and what is read ahead would be for nothing.
    for await (const key of this.#walk.keysIn(folder)) if ((await this.#read(key)) !== undefined) return true;
    return false;
  }

  /** The key's newest meta; undefined where the object is deleted, or its meta can't be given. */
  async #read({ key, copies }: WalkedKey): Promise<ObjectMeta | undefined> {
    try {
      const meta = agreedDocument(this.#context.disks, await copies(), this.#options.allowStale ?? false);
      return meta === undefined || isTombstone(meta) ? undefined : meta;
    } catch (error) {
      if (!isDiskFault(error) || this.#options.onDamaged === undefined) throw error;
      this.#options.onDamaged(key, error);
      return undefined;
    }
  }
}

function toListed({ key, size, version, createdAt, contentType }: ObjectMeta): ListedObject {
  return { kind: 'object', key, size, version, createdAt, contentType };
}
