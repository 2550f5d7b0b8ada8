import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { placeAt } from '../../disks/drivers.ts';
import { isStoreError, StoreError, throwIfShort } from '../../errors.ts';
import { except, rename, stat, syncFileNow, syncFolderNow, unlink } from '../../files/calls.ts';
import { Made } from '../../files/made.ts';
import { readTextIfThere } from '../../files/read-file.ts';
import { lockName } from '../../locks/locks.ts';
import { FORMAT } from '../../metadata/document.ts';
import { checkDiskName } from '../../metadata/names.ts';
import { checkRedundancy, DEFAULT_REDUNDANCY } from '../../metadata/redundancy.ts';
import { Attendance, LOCK_FILE, type WaitOptions } from './attendance.ts';
import { checkPlace, makeDisk, pathOf } from './make-disk.ts';
import { making } from './making.ts';
import {
  formatStoreDocument,
  parseStoreDocument,
  STORE_FILE,
  type Durability,
  type StoreDocument,
} from './store-document.ts';

/** What an init is about to do. It becomes `store.json` when it is done, and an init that dies is gone on with from it. */
const PLAN_FILE = '.store.json.plan';

const DEFAULT_DISKS = 3;

export interface InitOptions {
  /** Number of disks to make, `disk1`, `disk2`, … */
  disks?: number;
  /** Disks by name, each an empty or missing folder: linked into the store's folder where it is elsewhere. */
  places?: { name: string; path: string }[];
  durability?: Durability;
  /** `k+m` of objects whose bucket has none of its own; `1+0` if not given. */
  redundancy?: string;
  /** `k+m` that the store must have disks enough for, without making it the default. */
  fit?: string | undefined;
  /** How others are waited for who make the store at the same time. */
  waiting?: WaitOptions;
}

/**
 * Makes a store in `root`, whole or not at all. Without `disks` and `places`, the empty folders (or links to folders)
 * named `disk…` that stand in `root` become its disks, and where there are none, `disk1` to `disk3` are made.
 * @throws STORE_EXISTS, BAD_ROOT, BAD_DISK_NAME, STORE_NOT_WRITABLE
 */
export async function initStore(root: string, options: InitOptions = {}): Promise<StoreDocument> {
  const made = new Made();
  return making('a store', root, made, () =>
    withStoreLock(root, made, options.waiting, () => initLocked(root, options, made)),
  );
}

/** @throws STORE_DAMAGED where disks of a store stand in the folder, but neither its `store.json` nor the plan of an init that died */
export async function refuseHeadless(root: string): Promise<void> {
  const names = (await fs.readdir(root).catch(ignoreUnlessShort)) ?? [];
  const places = names.map((name) => placeAt(path.join(root, name), root));
  const marks = await Promise.all(places.map((place) => place.mark().catch(ignoreUnlessShort)));
  if (marks.every((mark) => mark === undefined)) return;
  // In this order: the plan becomes the store's document, and whoever is making the disks has had one of them since before.
  for (const file of [PLAN_FILE, STORE_FILE]) if (existsSync(path.join(root, file))) return;
  const message = `there is no ${STORE_FILE} in "${root}", but disks of a store are`;
  throw new StoreError('STORE_DAMAGED', message, { path: root });
}

/** What can't be looked at says nothing; where this process lacks something, nothing is known. */
function ignoreUnlessShort(error: unknown): undefined {
  throwIfShort(error, 'cannot look for disks of a store');
}

/** Runs `work` alone in the root, which is made if need be. What it made is taken back, still alone, if it fails. */
async function withStoreLock<T>(
  root: string,
  made: Made,
  waiting: WaitOptions | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const lockFile = path.join(root, LOCK_FILE);
  for (;;) {
    await made.folder(root);
    const isNew = (await except(fs.stat(lockFile), 'ENOENT')) === undefined;
    const session = await new Attendance(root, waiting).locks.open('write');
    try {
      await session.lock(lockName.store(), 'exclusive', waiting?.signal);
      // A failed init may have removed the lock file while we waited for its lock.
      if (!(await session.isCurrent())) continue;
      try {
        return await work();
      } catch (error) {
        if (isNew && !isStoreError(error, 'STORE_EXISTS')) await unlink(lockFile).catch(() => undefined);
        await made.undo();
        throw error;
      }
    } finally {
      await session.close();
    }
  }
}

async function initLocked(root: string, options: InitOptions, made: Made): Promise<StoreDocument> {
  const storeFile = path.join(root, STORE_FILE);
  const planFile = path.join(root, PLAN_FILE);
  if ((await readTextIfThere(storeFile)) !== undefined) {
    throw new StoreError('STORE_EXISTS', `there is a store in "${root}" already`, { path: root });
  }
  const unfinished = await readPlan(planFile);
  const plan = unfinished ?? (await makePlan(root, options));
  // The plan must be durable before the first disk is touched: a marked disk without it would look foreign.
  if (unfinished === undefined) await made.file(planFile, Buffer.from(formatStoreDocument(plan)));
  else await syncFileNow(planFile);
  await syncFolderNow(root);
  for (const disk of plan.disks) await makeDisk(root, plan.id, disk, made);
  await syncFolderNow(root);
  await rename(planFile, storeFile);
  made.keep();
  await syncFolderNow(root);
  if (unfinished !== undefined && (options.disks !== undefined || options.places !== undefined)) {
    const message = `an unfinished store stood in "${root}"; it has been finished as it was begun`;
    throw new StoreError('STORE_EXISTS', message, { path: root });
  }
  return plan;
}

/** A plan that an init left behind when it died; one that was not even whole says that no disk has been touched. */
async function readPlan(planFile: string): Promise<StoreDocument | undefined> {
  const text = await readTextIfThere(planFile);
  if (text === undefined) return undefined;
  try {
    return parseStoreDocument(text, planFile);
  } catch {
    return undefined;
  }
}

async function makePlan(root: string, options: InitOptions): Promise<StoreDocument> {
  const names = options.disks === undefined ? await standingDisks(root) : numbered(options.disks);
  const places = options.places ?? names.map((name) => ({ name, path: name }));
  if (places.length === 0) throw new StoreError('BAD_ROOT', 'a store needs at least one disk', { path: root });
  const redundancy = options.redundancy ?? DEFAULT_REDUNDANCY;
  for (const text of [redundancy, options.fit ?? redundancy]) checkRedundancy(text, places.length);
  const disks: StoreDocument['disks'] = [];
  const taken = new Set<string>();
  for (const { name, path: given } of places) {
    checkDiskName(name);
    const place = placeAt(given, options.places === undefined ? root : process.cwd());
    const real = await place.realName();
    if (disks.some((other) => other.name === name) || taken.has(real))
      throw new StoreError('BAD_DISK_NAME', `disk "${name}" or its place is named twice`, { disk: name });
    taken.add(real);
    await checkPlace(root, name, place);
    disks.push({ name, id: randomUUID(), path: pathOf(root, name, place) });
  }
  return {
    format: FORMAT,
    id: randomUUID(),
    createdAt: new Date().toISOString(),
    redundancy,
    durability: options.durability ?? 'fsync',
    disks,
  };
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `disk${index + 1}`);
}

/** The folders and links named `disk…` in the root, in the order of their numbers, or the default disks. */
async function standingDisks(root: string): Promise<string[]> {
  const names: string[] = [];
  for (const name of await fs.readdir(root)) {
    if (!name.startsWith('disk')) continue;
    // One that is not empty is refused later: a store that silently does without it is not what anybody meant.
    const stats = await except(stat(path.join(root, name)), 'ENOENT', 'ENOTDIR');
    if (stats?.isDirectory() === true) names.push(name);
  }
  names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return names.length > 0 ? names : numbered(DEFAULT_DISKS);
}
