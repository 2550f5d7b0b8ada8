import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import * as path from 'node:path';
import { onTestFinished } from 'vitest';

/** What may stand where a folder should be, and cannot be listed; each says which error the system has for it. */
export const OBSTACLES = ['file', 'fifo', 'socket', 'loop'] as const;

export type Obstacle = (typeof OBSTACLES)[number];

/** Puts something in the place of a folder, and gives back the function that puts the folder back. */
export async function obstruct(folder: string, kind: Obstacle): Promise<() => void> {
  const aside = path.join(path.dirname(path.dirname(folder)), `.aside-${path.basename(folder)}`);
  fs.renameSync(folder, aside);
  switch (kind) {
    case 'file':
      fs.writeFileSync(folder, 'not a folder');
      break;
    case 'fifo':
      execFileSync('mkfifo', [folder]);
      break;
    case 'loop':
      fs.symlinkSync(path.basename(folder), folder);
      break;
    case 'socket': {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(folder, resolve));
      onTestFinished(() => void server.close());
      break;
    }
  }
  return () => {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.renameSync(aside, folder);
  };
}
