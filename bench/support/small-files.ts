import { createCipheriv, createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';

const FOLDERS = 50;

export interface SmallFiles {
  count: number;
  /** Least and greatest size, in bytes; all between are as likely. */
  least: number;
  most: number;
}

/** Makes small files of random bytes, in 50 folders: the same every time. */
export async function writeSmallFiles(folder: string, { count, least, most }: SmallFiles): Promise<void> {
  const random = createCipheriv('aes-256-ctr', createHash('sha256').update('small files').digest(), Buffer.alloc(16));
  const bytes = (length: number): Buffer => random.update(Buffer.alloc(length));
  for (let index = 0; index < FOLDERS; index++)
    await fs.mkdir(path.join(folder, folderName(index)), { recursive: true });
  for (let index = 0; index < count; index++) {
    const size = least + (bytes(4).readUInt32LE() % (most - least + 1));
    await fs.writeFile(path.join(folder, folderName(index), `file-${index}.bin`), bytes(size));
  }
}

function folderName(index: number): string {
  return `folder-${index % FOLDERS}`;
}
