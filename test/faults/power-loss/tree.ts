import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** A folder's content: folders, files and links by their names. */
export type Tree = Map<string, Tree | Buffer | { target: string }>;

export function readTree(folder: string): Tree {
  const tree: Tree = new Map();
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) tree.set(entry.name, readTree(full));
    else if (entry.isSymbolicLink()) tree.set(entry.name, { target: fs.readlinkSync(full) });
    else tree.set(entry.name, fs.readFileSync(full));
  }
  return tree;
}

/** Writes a tree into a folder that is not there yet. */
export function writeTree(tree: Tree, folder: string): void {
  fs.mkdirSync(folder);
  for (const [name, node] of tree) {
    const full = path.join(folder, name);
    if (node instanceof Map) writeTree(node, full);
    else if (Buffer.isBuffer(node)) fs.writeFileSync(full, node);
    else fs.symlinkSync(node.target, full);
  }
}

const sums = new WeakMap<Buffer, string>();

/** Two trees are the same if their sums are. */
export function sumOfTree(tree: Tree): string {
  const hash = createHash('sha256');
  for (const line of linesOf(tree)) hash.update(line);
  return hash.digest('hex');
}

/** One line for each folder, file and link. */
export function linesOf(tree: Tree, above = ''): string[] {
  return [...tree]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, node]) => {
      const full = `${above}${name}`;
      if (node instanceof Map) return [`${full}/\n`, ...linesOf(node, `${full}/`)];
      return [Buffer.isBuffer(node) ? `${full} ${node.length} ${sumOf(node)}\n` : `${full} -> ${node.target}\n`];
    });
}

function sumOf(bytes: Buffer): string {
  let sum = sums.get(bytes);
  if (sum === undefined) {
    sum = createHash('sha256').update(bytes).digest('hex');
    sums.set(bytes, sum);
  }
  return sum;
}
