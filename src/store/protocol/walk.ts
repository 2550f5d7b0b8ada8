import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { BUCKETS_FOLDER, bucketFolder } from '../../metadata/catalog.ts';
import { prefixToFolder } from '../../metadata/key-path.ts';
import { listAll, readKeyLevel } from '../../metadata/key-tree.ts';
import { compareUtf8, isBucketName } from '../../metadata/names.ts';
import type { StoreContext } from './context.ts';
import { judgeFailures, type WalkRules } from './folders.ts';

/**
 * Names of the buckets that any of the disks has a folder of, deleted ones too, in their order.
 * @throws TOO_FEW_DISKS_TO_READ, if the rules say so
 */
export async function bucketFolders({ disks }: StoreContext, view: DiskView, rules: WalkRules): Promise<string[]> {
  const names = new Set<string>();
  const failures = await listAll(view.online, BUCKETS_FOLDER, (_, entries) => {
    for (const { name, isFolder } of entries) if (isFolder && isBucketName(name)) names.add(name);
  });
  judgeFailures(disks, view, failures, rules);
  return [...names].sort(compareUtf8);
}

/**
 * Every key of a bucket that any of the disks has a meta of, tombstones and damaged ones too, level by level in their order.
 * @throws TOO_FEW_DISKS_TO_READ, if the rules say so
 */
export async function* walkKeys(
  context: StoreContext,
  view: DiskView,
  bucket: string,
  prefix: string,
  rules: WalkRules,
): AsyncGenerator<string> {
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const folder = [bucketFolder(bucket), ...prefixToFolder(base)].join('/');
  yield* new KeyWalk(context, view, rules).level(view.online, folder, base, prefix);
}

class KeyWalk {
  readonly #context: StoreContext;
  readonly #view: DiskView;
  readonly #rules: WalkRules;

  constructor(context: StoreContext, view: DiskView, rules: WalkRules) {
    this.#context = context;
    this.#view = view;
    this.#rules = rules;
  }

  async *level(disks: readonly Disk[], folder: string, base: string, prefix: string): AsyncGenerator<string> {
    const { nodes, failures } = await readKeyLevel(disks, folder, base);
    judgeFailures(this.#context.disks, this.#view, failures, this.#rules);
    const wanted = nodes.filter(({ name }) => name.startsWith(prefix)).sort((a, b) => compareUtf8(a.name, b.name));
    for (const node of wanted) {
      if (node.folder === undefined) yield node.name;
      else yield* this.level(node.disks, node.folder, node.name, '');
    }
  }
}
