import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { isInstalled, outputOf, run, type RunOptions } from './process.ts';

/** A program that users would take instead, for files that it keeps in a repository of its own. */
export interface Peer {
  /** As it calls itself, with its version. */
  name: string;
  /** Makes an empty repository. */
  init(repository: string): Promise<void>;
  /** Puts a folder into it, in milliseconds. */
  store(repository: string, folder: string): Promise<number>;
  /** Writes all that was stored into a folder that is there and empty, in milliseconds. */
  restore(repository: string, folder: string): Promise<number>;
}

/**
 * restic, or undefined where it is not installed. It encrypts always. Its cache is left out, because it would lie in the
 * user's home; it makes nothing faster here.
 */
export async function findRestic(signal: AbortSignal): Promise<Peer | undefined> {
  if (!(await isInstalled('restic'))) return undefined;
  const options: RunOptions = { signal, env: { RESTIC_PASSWORD: 'bench' } };
  const restic = (repository: string, ...args: string[]): Promise<number> =>
    run('restic', ['--repo', repository, '--no-cache', '--quiet', ...args], options);
  return {
    name: versionIn(await outputOf('restic', ['version'], { signal })),
    async init(repository) {
      await restic(repository, 'init');
    },
    store: (repository, folder) => restic(repository, 'backup', folder),
    restore: (repository, folder) => restic(repository, 'restore', 'latest', '--target', folder),
  };
}

/** borg, or undefined where it is not installed. Without encryption, which is what is fastest. */
export async function findBorg(signal: AbortSignal): Promise<Peer | undefined> {
  if (!(await isInstalled('borg'))) return undefined;
  // What borg keeps beside the repository, its cache among it, it keeps below this folder.
  const options = (repository: string, cwd?: string): RunOptions => ({
    signal,
    ...(cwd === undefined ? {} : { cwd }),
    env: { BORG_BASE_DIR: `${repository}.home`, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' },
  });
  return {
    name: versionIn(await outputOf('borg', ['--version'], { signal })),
    async init(repository) {
      await fs.mkdir(`${repository}.home`);
      await run('borg', ['init', '--encryption', 'none', repository], options(repository));
    },
    store: (repository, folder) => run('borg', ['create', `${repository}::files`, folder], options(repository)),
    restore: (repository, folder) => run('borg', ['extract', `${repository}::files`], options(repository, folder)),
  };
}

/** rclone, or undefined where it is not installed; its repository is a folder with the same files. */
export async function findRclone(signal: AbortSignal): Promise<Peer | undefined> {
  if (!(await isInstalled('rclone'))) return undefined;
  const copy = (from: string, to: string): Promise<number> =>
    run('rclone', ['copy', from, to, '--transfers', '8', '--config', ''], { signal });
  return {
    name: versionIn(await outputOf('rclone', ['version'], { signal })),
    async init(repository) {
      await fs.mkdir(repository);
    },
    store: (repository, folder) => copy(folder, repository),
    restore: copy,
  };
}

/** A program's name and version, of the first line that it says about itself. */
function versionIn(text: string): string {
  return text.split('\n', 1)[0]?.split(' ').slice(0, 2).join(' ') ?? '';
}

/** Where a contender keeps its repository in a turn's folder. */
export function repositoryIn(folder: string): string {
  return path.join(folder, 'repository');
}
