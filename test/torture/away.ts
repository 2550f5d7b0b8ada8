import * as fs from 'node:fs';
import * as path from 'node:path';

/**
 * Takes a disk away, as if it were unplugged: it misses what happens meanwhile.
 * @param folder where disks are that were taken away
 * @returns what brings it back
 */
export function takeAway(root: string, folder: string, name: string): () => void {
  const [disk, away] = [path.join(root, name), path.join(folder, `away-${name}`)];
  fs.renameSync(disk, away);
  return () => {
    fs.renameSync(away, disk);
  };
}
