/**
 * A process that dies in the midst of a commit, exactly when so many of the disks have changed and before any other does.
 * To be imported before the library, which keeps the calls that it finds.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { HalfDeath } from './operations.ts';

/** What is held back in vain for so long, because a disk is not asked at all, dies as well. */
const PATIENCE_MS = 2000;

let root = '';
let trap: (HalfDeath & { left: number }) | undefined;

const real = { rename: promisify(fs.rename), unlink: promisify(fs.unlink) };

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('the process outlives its death');
}

/** The disk on which a meta changes, or undefined where this is another file. (Node itself may name files by their bytes.) */
function diskOf(file: fs.PathLike): string | undefined {
  const name = String(file);
  const [disk, folder] = path.relative(root, name).split('/');
  return folder === 'buckets' && name.endsWith('.meta.json') ? disk : undefined;
}

async function change(file: fs.PathLike, work: () => Promise<void>): Promise<void> {
  const disk = diskOf(file);
  if (trap === undefined || disk === undefined) return work();
  if (trap.left === 0 || trap.disks?.includes(disk) === false) {
    await sleep(PATIENCE_MS);
    die();
  }
  trap.left--;
  // Whether it worked or not: a call that fails is a change that did not come to pass.
  await work().catch(() => undefined);
  if (--trap.after === 0) die();
}

function rename(from: fs.PathLike, to: fs.PathLike): Promise<void> {
  return change(to, () => real.rename(from, to));
}

function unlink(file: fs.PathLike): Promise<void> {
  return change(file, () => real.unlink(file));
}

/** Watches the changes of metas on the disks of the store in `folder`. */
export function watchChanges(folder: string): void {
  root = folder;
  type Done = (error: Error | null) => void;
  const tell = (work: Promise<void>, done: Done): void =>
    void work.then(() => {
      done(null);
    }, done);
  Object.assign(fs, {
    rename: (from: fs.PathLike, to: fs.PathLike, done: Done) => {
      tell(rename(from, to), done);
    },
    unlink: (file: fs.PathLike, done: Done) => {
      tell(unlink(file), done);
    },
  });
  Object.assign(fs.promises, { rename, unlink });
  syncBuiltinESMExports();
}

/** While `work` goes on, the process dies as soon as so many metas have been changed. */
export async function dieAt<T>(death: HalfDeath, work: () => Promise<T>): Promise<T> {
  const own = { ...death, left: death.after };
  trap = own;
  try {
    return await work();
  } finally {
    if (trap === own) trap = undefined;
  }
}
