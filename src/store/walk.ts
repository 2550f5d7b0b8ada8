import type { Disk } from '../disks/disk.ts';
import { BUCKETS_FOLDER, bucketFolder } from '../metadata/catalog.ts';
import { prefixToFolder } from '../metadata/key-path.ts';
import { readKeyLevel } from '../metadata/key-tree.ts';
import { compareUtf8 } from '../metadata/names.ts';

/** Names of the buckets that any of the disks has a folder of, deleted ones too, in their order. */
export async function bucketFolders(disks: readonly Disk[]): Promise<string[]> {
  const lists = await Promise.all(disks.map((disk) => disk.list(BUCKETS_FOLDER)));
  const names = new Set(lists.flat().flatMap(({ name, isFolder }) => (isFolder ? [name] : [])));
  return [...names].sort(compareUtf8);
}

/** Every key of a bucket that any of the disks has a meta of, tombstones and damaged ones too, level by level in their order. */
export async function* walkKeys(disks: readonly Disk[], bucket: string, prefix = ''): AsyncGenerator<string> {
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  yield* walkLevel(disks, [bucketFolder(bucket), ...prefixToFolder(base)].join('/'), base, prefix);
}

async function* walkLevel(disks: readonly Disk[], folder: string, base: string, prefix: string): AsyncGenerator<string> {
  const { nodes } = await readKeyLevel(disks, folder, base);
  const wanted = nodes.filter(({ name }) => name.startsWith(prefix)).sort((a, b) => compareUtf8(a.name, b.name));
  for (const node of wanted) {
    if (node.folder === undefined) yield node.name;
    else yield* walkLevel(node.disks, node.folder, node.name, '');
  }
}
