import { createCipheriv, createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';

const FOLDERS = 50;
const LEAST_BYTES = 200;
const MOST_BYTES = 16 * 1024;

/** Makes the same small files every time: random bytes, and sizes of 0.2 to 16 KiB, all as likely. In 50 folders. */
export async function writeSmallFiles(folder: string, count: number, seed: string): Promise<void> {
  const random = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  const bytes = (length: number): Buffer => random.update(Buffer.alloc(length));
  for (let index = 0; index < FOLDERS; index++)
    await fs.mkdir(path.join(folder, folderName(index)), { recursive: true });
  for (let index = 0; index < count; index++) {
    const size = LEAST_BYTES + (bytes(4).readUInt32LE() % (MOST_BYTES - LEAST_BYTES + 1));
    await fs.writeFile(path.join(folder, folderName(index), `file-${index}.bin`), bytes(size));
  }
}

function folderName(index: number): string {
  return `folder-${index % FOLDERS}`;
}
