import type { Disk } from '../disks/disk.ts';
import { decodeComponent } from './key-path.ts';

/** A key, or a folder of keys, at one level of a bucket's tree. */
export interface KeyNode {
  /** The whole key, or the prefix with its `/` at the end. */
  name: string;
  /** Where a folder is on the disks that have it; undefined for a key. */
  folder: string | undefined;
  /** The disks that have it. */
  disks: Disk[];
}

export interface KeyLevel {
  nodes: KeyNode[];
  /** Folders that only carry on a long segment; their keys are among `nodes`. */
  parts: { folder: string; disks: Disk[] }[];
}

/**
 * What any of the disks has at one level of the tree, in no order. A long segment that goes on in a folder of its own
 * belongs to the level where it began.
 *
 * @param folder the level's folder on the disks
 * @param base what all keys of the level begin with: empty, or a prefix that ends in `/`
 */
export async function readKeyLevel(
  disks: readonly Disk[],
  folder: string,
  base: string,
  before = '',
): Promise<KeyLevel> {
  const nodes = new Map<string, KeyNode>();
  const parts = new Map<string, { folder: string; text: string; disks: Disk[] }>();
  const lists = await Promise.all(disks.map((disk) => disk.list(folder)));
  disks.forEach((disk, index) => {
    for (const { name, isFolder } of lists[index] ?? []) {
      const entry = decodeComponent(name, isFolder, before);
      if (entry === undefined) continue;
      const path = `${folder}/${name}`;
      if (entry.kind === 'part') {
        const part = parts.get(name) ?? { folder: path, text: before + entry.text, disks: [] };
        part.disks.push(disk);
        parts.set(name, part);
        continue;
      }
      const whole = base + entry.text + (isFolder ? '/' : '');
      const node = nodes.get(whole) ?? { name: whole, folder: isFolder ? path : undefined, disks: [] };
      node.disks.push(disk);
      nodes.set(whole, node);
    }
  });
  const level: KeyLevel = { nodes: [...nodes.values()], parts: [] };
  for (const part of parts.values()) {
    const deeper = await readKeyLevel(part.disks, part.folder, base, part.text);
    level.nodes.push(...deeper.nodes);
    level.parts.push(...deeper.parts, { folder: part.folder, disks: part.disks });
  }
  return level;
}
