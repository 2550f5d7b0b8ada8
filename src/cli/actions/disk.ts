import * as path from 'node:path';
import type { ObjectStore } from '../../index.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { printNote, printWarning, UsageError } from '../terminal/failure.ts';
import { printable } from '../terminal/format.ts';
import type { Io } from '../terminal/io.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';
import { healAndReport } from './heal.ts';

export interface ReplaceCommandOptions extends CommonOptions {
  allowStale?: true;
  failing?: true;
  /** False with `--no-heal`. */
  heal: boolean;
  /** Bytes a second. */
  rate?: number;
}

/** Adds an empty folder as a disk. */
export async function runDiskAdd(name: string, folder: string, options: CommonOptions, io: Io): Promise<number> {
  const store = await openStore(options, io);
  const place = path.resolve(notEmpty(folder));
  await store.addDisk(name, place, { signal: io.signal });
  const words = printable(`added disk "${name}" in ${place}`);
  await io.stdout.result(options, { disk: name, path: place, added: true }, words);
  await printNote('new chunks go there too; "store rebalance" moves some of the old ones', io);
  return EXIT.done;
}

/** Accepts an empty folder as a disk that is lost, and heals the store. */
export async function runDiskReplace(
  name: string,
  folder: string | undefined,
  options: ReplaceCommandOptions,
  io: Io,
): Promise<number> {
  let aside: string | undefined;
  const store = await openStore(options, io);
  const onOldFolder = (moved: string): void => {
    aside = moved;
  };
  const { allowStale, failing } = options;
  const at = folder === undefined ? undefined : path.resolve(notEmpty(folder));
  const isNew = await store.replaceDisk(name, at, { allowStale, failing, onOldFolder, signal: io.signal });
  const place = placeOf(store, name);
  const words = isNew
    ? `accepted ${place} as the new disk "${name}"`
    : `found disk "${name}" in ${place}, its new place; it keeps all that is on it`;
  await io.stdout.result(options, { type: 'disk', disk: name, path: place, replaced: isNew, aside }, printable(words));
  const later = 'it may be deleted once the store is healed';
  if (aside !== undefined)
    await printWarning(`the folder of the old disk is ${aside} now, and no part of the store any more; ${later}`, io);
  if (!isNew) return EXIT.done;
  if (options.heal) return healAndReport(store, {}, options, io);
  await printNote('"store heal" makes again what was on it', io);
  return EXIT.done;
}

/** Takes a drained disk out of the store. */
export async function runDiskRemove(name: string, options: CommonOptions, io: Io): Promise<number> {
  const store = await openStore(options, io);
  const place = placeOf(store, name);
  const disk = (await store.disks()).find((candidate) => candidate.disk === name);
  await store.removeDisk(name, { signal: io.signal });
  const folder = disk?.state.status === 'missing' ? '' : `; ${place} is no longer part of the store and may be deleted`;
  const words = printable(`removed disk "${name}"${folder}`);
  await io.stdout.result(options, { disk: name, path: place, removed: true }, words);
  return EXIT.done;
}

/** Absolute; empty where there is no such disk, which the store says itself. */
function placeOf(store: ObjectStore, name: string): string {
  const disk = store.document.disks.find((candidate) => candidate.name === name);
  return disk === undefined ? '' : path.resolve(store.root, disk.path);
}

/** An empty path would be the current folder. @throws UsageError */
function notEmpty(folder: string): string {
  if (folder === '') throw new UsageError('the path of a disk must not be empty');
  return folder;
}
