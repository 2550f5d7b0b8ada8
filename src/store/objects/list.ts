import { diskFault, type StoreError } from '../../errors.ts';
import { agreedDocument } from '../../metadata/copies.ts';
import { isTombstone, type ObjectMeta } from '../../metadata/meta.ts';
import { checkBucketName } from '../../metadata/names.ts';
import type { StoreContext } from '../protocol/context.ts';
import { requireBucket } from '../protocol/read-documents.ts';
import { Walk, type WalkedFolder, type WalkedMeta, type WalkRules } from '../protocol/walk.ts';

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
  const onLooked = (): Promise<void> => context.confirm(view, allowStale);
  const onTooFew: WalkRules['onTooFew'] = options.onDamaged && ((error, base) => options.onDamaged?.(base, error));
  const walk = new Walk(context, view, { bucket, prefix }, { allowStale, onLooked, onTooFew, leaveOut: true });
  const listing = new Listing(context, walk, options);
  yield* folders ? listing.level(walk.top(bucket)) : listing.all(walk.top(bucket));
}

/** What there is to say of a key: its object, or why that can't be told. */
type Told = ObjectMeta | { key: string; error: StoreError };

class Listing {
  readonly #context: StoreContext;
  readonly #walk: Walk;
  readonly #options: ListOptions;

  constructor(context: StoreContext, walk: Walk, options: ListOptions) {
    this.#context = context;
    this.#walk = walk;
    this.#options = options;
  }

  async *all(folder: WalkedFolder): AsyncGenerator<Listed> {
    for await (const slice of this.#walk.metasIn(folder, this.#judge)) {
      for (const told of slice) if (this.#isObject(told)) yield toListed(told);
    }
  }

  /** The same with folders as entries of their own. */
  async *level(folder: WalkedFolder): AsyncGenerator<Listed> {
    for await (const entry of this.#walk.level(folder, this.#judge)) {
      if ('result' in entry) {
        for (const told of entry.result) if (this.#isObject(told)) yield toListed(told);
      } else if (await this.#hasObject(entry)) {
        yield { kind: 'folder', prefix: entry.prefix };
      }
    }
  }

  /** Folders may hold nothing but tombstones. */
  #hasObject(folder: WalkedFolder): Promise<boolean> {
    return this.#walk.isAnywhereIn(folder, (slice) => this.#judge(slice).some((told) => this.#isObject(told)));
  }

  /** Judges what has been read by the roles that disks have at that moment; what is deleted is not told of. */
  readonly #judge = (slice: readonly WalkedMeta[]): Told[] => {
    const all: Told[] = [];
    for (const { key, copies } of slice) {
      try {
        const meta = agreedDocument(this.#context.disks, copies, this.#options.allowStale ?? false);
        if (meta !== undefined && !isTombstone(meta)) all.push(meta);
      } catch (error) {
        all.push({ key, error: diskFault(error) });
      }
    }
    return all;
  };

  /** Says of a key that its meta can't be told, when its turn has come. @throws that, where nobody wants to be told */
  #isObject(told: Told): told is ObjectMeta {
    if (!('error' in told)) return true;
    if (this.#options.onDamaged === undefined) throw told.error;
    this.#options.onDamaged(told.key, told.error);
    return false;
  }
}

function toListed({ key, size, version, createdAt, contentType }: ObjectMeta): ListedObject {
  return { kind: 'object', key, size, version, createdAt, contentType };
}
