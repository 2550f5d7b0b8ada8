import type { Disk, FileStat } from '../../disks/disk.ts';
import { ignoreDiskFault, isDiskFault } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { readCopies, type Copy, type DocumentKind } from '../../metadata/copies.ts';
import type { VersionedDocument } from '../../metadata/document.ts';
import type { StoreContext } from '../protocol/context.ts';

/** What stands on disks in the way of files and folders of the store, and what has been done about it. */
export class Obstacles {
  /** What has got another name, by disk and path. */
  readonly setAside: string[] = [];
  readonly #context: StoreContext;
  readonly #signal: AbortSignal | undefined;

  constructor(context: StoreContext, signal: AbortSignal | undefined) {
    this.#context = context;
    this.#signal = signal;
  }

  /** Takes the first obstacle off the way to a file (or to a folder, with a `/` at the end), and tells whether there was one. */
  async clear(disk: Disk, path: string): Promise<boolean> {
    // What stands there when it is looked at must still be what is renamed, whoever else is at it.
    const session = await this.#context.locks.open('write');
    try {
      await session.lock(lockName.setAside(), 'exclusive', this.#signal);
      const now = await disk.setAside(path);
      if (now === undefined) return false;
      // What only had to be opened keeps its name.
      if (!`${path}/`.startsWith(`${now}/`)) this.setAside.push(`${disk.name}/${now}`);
      return true;
    } catch (error) {
      // Whoever needs the way will say what is wrong with the disk.
      if (isDiskFault(error)) return false;
      throw error;
    } finally {
      await session.close();
    }
  }

  /** Opens a chunk's file; tells whether there was anything to do. What else stands in its place makes way when the chunk has been rebuilt. */
  async openChunk(disk: Disk, path: string): Promise<boolean> {
    return (await look(disk, path))?.isFile === true && (await this.clear(disk, path));
  }
}

/** A disk that cannot have a document. */
export interface Block {
  disk: Disk;
  /** Whether something on the way to the document is no folder; otherwise something that is no file stands in its place. */
  isAbove: boolean;
}

/** Where something stands in the way of a document's copies. */
export async function findBlocks(copies: readonly Copy<unknown>[], path: string): Promise<Block[]> {
  const blocks = await Promise.all(copies.map((copy) => findBlock(copy, path)));
  return blocks.filter((block) => block !== undefined);
}

async function findBlock(copy: Copy<unknown>, path: string): Promise<Block | undefined> {
  const { disk } = copy;
  if (copy.state !== 'bad' || copy.bytes !== undefined) return undefined;
  if (copy.error.details.fault === 'blocked') return { disk, isAbove: true };
  return (await look(disk, path))?.isFile === false ? { disk, isAbove: false } : undefined;
}

/** What a disk says of a path, as far as it does. */
async function look(disk: Disk, path: string): Promise<FileStat | undefined> {
  return disk.stat(path).catch(ignoreDiskFault);
}

/** Opens the copy, or a folder above it, where it may not be read, and tells whether that was so. What is no file stays. */
async function open(copy: Copy<unknown>, path: string, obstacles: Obstacles): Promise<boolean> {
  if (copy.state !== 'bad' || copy.error.details.fault !== 'closed') return false;
  return (await look(copy.disk, path))?.isFile !== false && obstacles.clear(copy.disk, path);
}

/** Reads a document's copies, and opens those that were closed to us. */
export async function readOpenCopies<T extends VersionedDocument>(
  disks: readonly Disk[],
  kind: DocumentKind<T>,
  obstacles: Obstacles | undefined,
): Promise<Copy<T>[]> {
  for (;;) {
    const copies = await readCopies(disks, kind);
    if (obstacles === undefined) return copies;
    const opened = await Promise.all(copies.map((copy) => open(copy, kind.path, obstacles)));
    if (!opened.includes(true)) return copies;
  }
}
