import type { Disk } from '../disks/disk.ts';
import { metaKind } from './catalog.ts';
import { readManyCopies, type Copy } from './copies.ts';
import { readKeyLevel, type KeyLevel, type KeyNode } from './key-tree.ts';
import type { Meta } from './meta.ts';

/** A folder of metas, as disks have listed it, and the way to the metas in it. */
export interface MetaFolder extends KeyLevel {
  /** What each of the disks says of the metas of nodes; one that has listed the folder without them says that there is none. */
  copiesOf: (nodes: readonly KeyNode[]) => Promise<Copy<Meta>[][]>;
}

/** Where a folder of metas is. */
export interface FolderPlace {
  bucket: string;
  /** On the disks. */
  path: string;
  /** What all keys in it begin with: empty, or ends in `/`. */
  prefix: string;
}

/**
 * Reads a folder of metas: the one step of a walk that works with disks, and it needs nothing else of a store.
 *
 * @param disks all that are asked
 * @param holders those among them that have the folder, or may have it
 */
export async function readMetaFolder(
  disks: readonly Disk[],
  holders: readonly Disk[],
  { bucket, path, prefix }: FolderPlace,
): Promise<MetaFolder> {
  const copiesOf = (nodes: readonly KeyNode[]): Promise<Copy<Meta>[][]> =>
    readManyCopies(
      disks,
      nodes.map(({ name, disks: holders }) => ({ kind: metaKind(bucket, name), holders })),
    );
  return { ...(await readKeyLevel(holders, path, prefix)), copiesOf };
}
