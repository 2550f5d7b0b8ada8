import { pMapIterable } from 'p-map';
import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { isDiskFault, type StoreError } from '../../errors.ts';
import { bucketFolder, metaKind } from '../../metadata/catalog.ts';
import { agreedDocument, readCopies } from '../../metadata/copies.ts';
import { prefixToFolder } from '../../metadata/key-path.ts';
import { readKeyLevel, type KeyLevel, type KeyNode } from '../../metadata/key-tree.ts';
import { isTombstone, type ObjectMeta } from '../../metadata/meta.ts';
import { checkBucketName, compareUtf8 } from '../../metadata/names.ts';
import type { StoreContext } from '../protocol/context.ts';
import { requireBucket } from '../protocol/documents.ts';
import { judgeFailures } from '../protocol/folders.ts';

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
  const allowStale = options.allowStale ?? false;
  const view = await context.lookForReading(allowStale);
  await requireBucket(context, view, bucket, allowStale);
  yield* new Walk(context, view, bucket, options).run();
}

class Walk {
  readonly #context: StoreContext;
  readonly #view: DiskView;
  readonly #bucket: string;
  readonly #options: ListOptions;
  readonly #prefix: string;

  constructor(context: StoreContext, view: DiskView, bucket: string, options: ListOptions) {
    this.#context = context;
    this.#view = view;
    this.#bucket = bucket;
    this.#options = options;
    this.#prefix = options.prefix ?? '';
  }

  run(): AsyncGenerator<Listed> {
    const base = this.#prefix.slice(0, this.#prefix.lastIndexOf('/') + 1);
    const folder = [bucketFolder(this.#bucket), ...prefixToFolder(base)].join('/');
    return this.#walk(folder, base, this.#view.online, this.#options.folders ?? false);
  }

  async *#walk(folder: string, base: string, disks: readonly Disk[], folders: boolean): AsyncGenerator<Listed> {
    const level = await readKeyLevel(disks, folder, base);
    await this.#context.confirm(this.#view, this.#options.allowStale);
    if (!this.#isListed(level, base)) return;
    const nodes = level.nodes
      .filter(({ name }) => name.startsWith(this.#prefix))
      .sort((a, b) => compareUtf8(a.name, b.name));
    const entries = pMapIterable(
      nodes,
      async (node) => (node.folder === undefined ? await this.#read(node) : { ...node, folder: node.folder }),
      { concurrency: READ_AHEAD },
    );
    for await (const entry of entries) {
      if (entry === undefined) continue;
      if ('version' in entry) {
        yield toListed(entry);
      } else if (!folders) {
        yield* this.#walk(entry.folder, entry.name, entry.disks, false);
      } else if (await this.#hasObject(entry.folder, entry.name, entry.disks)) {
        yield { kind: 'folder', prefix: entry.name };
      }
    }
  }

  /** Whether enough disks could list a level. @throws TOO_FEW_DISKS_TO_READ where not, and nobody is there to be told */
  #isListed({ failures }: KeyLevel, base: string): boolean {
    const { onDamaged, allowStale } = this.#options;
    let isListed = true;
    const onTooFew = (error: StoreError): void => {
      isListed = false;
      onDamaged?.(base, error);
    };
    judgeFailures(this.#context.disks, this.#view, failures, { allowStale, onTooFew: onDamaged && onTooFew });
    return isListed;
  }

  /** Folders may hold nothing but tombstones. */
  async #hasObject(folder: string, base: string, disks: readonly Disk[]): Promise<boolean> {
    for await (const object of this.#walk(folder, base, disks, false)) return object.kind === 'object';
    return false;
  }

  /** The key's newest meta. A disk that has no file for it has answered too. */
  async #read({ name: key, disks }: KeyNode): Promise<ObjectMeta | undefined> {
    const without = this.#view.online.filter((disk) => !disks.includes(disk));
    const copies = await readCopies(disks, metaKind(this.#bucket, key));
    const answers = [...copies, ...without.map((disk) => ({ disk, state: 'absent' as const }))];
    try {
      const meta = agreedDocument(this.#context.disks, answers, this.#options.allowStale ?? false);
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
