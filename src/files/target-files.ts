import { randomUUID } from 'node:crypto';
import * as path from 'node:path';
import { makeFolders, stat } from './calls.ts';
import { FileThread, together, type Job } from './file-thread.ts';
import { SharedSync, type OneSync, type OpenSync } from './shared-sync.ts';

/** A small file to be written: what is to stand at its absolute path. */
export interface NewTarget {
  path: string;
  bytes: Uint8Array;
  signal?: AbortSignal | undefined;
}

/** A file on its way to its place. */
interface Target {
  file: NewTarget;
  folder: string;
  /** Where it is written, beside its place. The name stays short: the file's own may be as long as a name can be. */
  part: string;
  device: number | undefined;
  isFailed: boolean;
}

/** What makes the files of each file system durable together; undefined where each must be by itself. */
type Syncs = ReadonlyMap<number, OneSync | undefined>;

/**
 * Writes many small files, in a thread of its own, each under a name of its own beside its place. All are synced before the first is
 * renamed, and their names before anybody is told, with one sync for all of a file system where that can be relied on.
 */
export class TargetFiles {
  readonly #thread = new FileThread();
  /** Folders that have been made for files. They are removed again where none stays in them. */
  readonly #made = new Set<string>();
  readonly #openSync: OpenSync;

  constructor(openSync: OpenSync = (folder) => SharedSync.open(folder)) {
    this.#openSync = openSync;
  }

  /**
   * @returns for each whether it is in its place, whole and durable. What could not be done, or was aborted, has left nothing
   *   but what stood there; only where the last sync fails, the new file may stand there.
   */
  async write(files: readonly NewTarget[]): Promise<boolean[]> {
    const targets = files.map((file): Target => {
      const folder = path.dirname(file.path);
      const part = path.join(folder, `.${randomUUID()}.part`);
      return { file, folder, part, device: undefined, isFailed: false };
    });
    await this.#makeFolders(targets);
    const syncs = await this.#openSyncs(targets);
    try {
      await this.#writeParts(targets, syncs);
      await forEachDevice(targets, syncs, (_, sync) => sync?.sync());
      for (const target of targets) if (target.file.signal?.aborted === true) target.isFailed = true;
      await this.#run(targets, ({ part, file }) => [{ do: 'rename', path: part, to: file.path }]);
      await forEachDevice(targets, syncs, (own, sync) => sync?.sync() ?? this.#syncFolders(own));
    } finally {
      for (const sync of syncs.values()) await sync?.close().catch(() => undefined);
      await this.#discard(targets.filter(({ isFailed }) => isFailed));
    }
    return targets.map(({ isFailed }) => !isFailed);
  }

  async #makeFolders(targets: readonly Target[]): Promise<void> {
    const devices = new Map<string, number | undefined>();
    for (const folder of new Set(targets.map((target) => target.folder))) {
      try {
        for (const made of await makeFolders(folder)) this.#made.add(made);
        devices.set(folder, (await stat(folder)).dev);
      } catch {
        // Whoever writes such a file by itself is told why.
      }
    }
    for (const target of targets) {
      target.device = devices.get(target.folder);
      target.isFailed = target.device === undefined;
    }
  }

  async #openSyncs(targets: readonly Target[]): Promise<Syncs> {
    const syncs = new Map<number, OneSync | undefined>();
    for (const { device, folder } of targets) {
      if (device === undefined || syncs.has(device)) continue;
      const sync = await this.#openSync(folder).catch(() => undefined);
      // Something else may have been mounted there meanwhile.
      const isIts = sync?.device === device;
      if (!isIts) await sync?.close().catch(() => undefined);
      syncs.set(device, isIts ? sync : undefined);
    }
    return syncs;
  }

  async #writeParts(targets: readonly Target[], syncs: Syncs): Promise<void> {
    const going = targets.filter(({ isFailed }) => !isFailed);
    const { bytes, ends } = together(going.map(({ file }) => file.bytes));
    const ranges = new Map(going.map((target, index) => [target, ends[index] ?? { from: 0, to: 0 }]));
    const write = (target: Target): Job => {
      const range = ranges.get(target) ?? { from: 0, to: 0 };
      return [{ do: 'write', path: target.part, ...range, isNew: true, sync: !isShared(target, syncs) }];
    };
    await this.#run(going, write, bytes);
  }

  /** Does a job for each of the files that have not failed. */
  async #run(targets: readonly Target[], jobOf: (target: Target) => Job, bytes?: ArrayBuffer): Promise<void> {
    const going = targets.filter(({ isFailed }) => !isFailed);
    if (going.length === 0) return;
    const { outcomes } = await this.#thread.run('', going.map(jobOf), bytes === undefined ? {} : { bytes });
    for (const [index, target] of going.entries()) target.isFailed = outcomes[index]?.errno !== undefined;
  }

  /** Makes the names of files durable, and those of the folders that have been made for them. */
  async #syncFolders(targets: readonly Target[]): Promise<void> {
    for (const folder of new Set(targets.map((target) => target.folder))) {
      const own = targets.filter((target) => target.folder === folder);
      const folders = [...this.#madeAbove(folder).map((made) => path.dirname(made)), folder];
      const jobs = folders.map((name): Job => [{ do: 'sync-folder', path: name }]);
      const { outcomes } = await this.#thread.run('', jobs);
      const isFailed = outcomes.some(({ errno }) => errno !== undefined);
      for (const target of own) target.isFailed = isFailed;
    }
  }

  /** Removes what there is of files, it does not matter how far each had come, and then the folders that were made for them. */
  async #discard(targets: readonly Target[]): Promise<void> {
    if (targets.length === 0) return;
    const made = [...new Set(targets.flatMap(({ folder }) => this.#madeAbove(folder)))].sort().reverse();
    const unlink = targets.map(({ part }): Job => [{ do: 'unlink', path: part }]);
    const remove = made.map((folder): Job => [{ do: 'remove-folder', path: folder }]);
    const { outcomes } = await this.#thread.run('', [...unlink, ...remove]);
    for (const [index, folder] of made.entries())
      if (outcomes[unlink.length + index]?.errno === undefined) this.#made.delete(folder);
  }

  /** The folders that have been made of those that lead to a file, from the outside in. */
  #madeAbove(folder: string): string[] {
    const made: string[] = [];
    for (let at = folder; this.#made.has(at); at = path.dirname(at)) made.unshift(at);
    return made;
  }
}

function isShared({ device }: Target, syncs: Syncs): boolean {
  return device !== undefined && syncs.get(device) !== undefined;
}

/** Does what is to be done once for all files of a file system. Where it fails, all that it stood for has failed. */
async function forEachDevice(
  targets: readonly Target[],
  syncs: Syncs,
  work: (own: readonly Target[], sync: OneSync | undefined) => Promise<void> | undefined,
): Promise<void> {
  for (const [device, sync] of syncs) {
    const own = targets.filter((target) => target.device === device && !target.isFailed);
    if (own.length === 0) continue;
    try {
      await work(own, sync);
    } catch {
      for (const target of own) target.isFailed = true;
    }
  }
}
