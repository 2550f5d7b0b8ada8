import { buffer } from 'node:stream/consumers';
import { isStoreError, ObjectStore } from '../../../src/index.ts';
import { seededBytes } from '../../support/bytes.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { bringBack } from '../care-scenarios.ts';
import { BUCKET } from '../crash-scenarios.ts';
import { countCopies, findDanglingMetas, findUntidy } from '../crash-state.ts';
import type { World } from './world.ts';

/** What is done at the end to mend what is left: gc reclaims, heal also makes whole. */
export type Mending = 'gc' | 'heal';

/** An object that is uploaded to see that life goes on. */
const AFTERWARDS = { key: 'after/wards', bytes: seededBytes(2000, 'afterwards') };

/** Files in the store's folder that mean nothing: of programs that died. */
const NO_MATTER = /^stray: (\.store\.json\.(next|plan)|away|disk\d)$/;

/** Thrown for what must not be; everything else that is thrown is as bad. */
class Wrong extends Error {}

/**
 * What is wrong with a store as a power loss may leave it, in words; undefined where nothing is. Everything that was
 * acknowledged must be there, the rest as it was or as it was to be, and life goes on without repair.
 * @param isHurt chunks are missing or damaged in it, but nothing is lost
 */
export async function judge(
  root: string,
  world: World,
  mending: Mending,
  isHurt: boolean,
): Promise<string | undefined> {
  let doing = 'opening the store';
  const step = (what: string): void => {
    doing = what;
  };
  try {
    await examine(root, world, mending, isHurt, step);
    return undefined;
  } catch (error) {
    if (error instanceof Wrong) return error.message;
    return `${doing}: ${isStoreError(error) ? `${error.code}, ${error.message}` : error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
}

async function examine(
  root: string,
  world: World,
  mending: Mending,
  isHurt: boolean,
  step: (what: string) => void,
): Promise<void> {
  const store = await openStore(root, world);
  await checkDisks(store, world);
  const found = new Map<string, Buffer | undefined>();
  for (const [key, allowed] of world.objects) {
    step(`reading ${key}`);
    const bytes = await readObject(store, key);
    check(
      allowed.some((one) => isSame(one, bytes)),
      `${key} is ${describe(bytes)}, but must be ${allowed.map(describe).join(' or ')}`,
    );
    found.set(key, bytes);
    if (world.acknowledged.has(key)) await checkQuorum(store, key);
  }
  step('listing buckets');
  const buckets = new Set((await store.listBuckets()).map(({ bucket }) => bucket));
  for (const [bucket, allowed] of world.buckets)
    check(
      allowed.includes(buckets.has(bucket)),
      `bucket ${bucket} ${buckets.has(bucket) ? 'is there' : 'is not there'}`,
    );

  step('verify');
  const { lost } = await store.verify();
  check(lost === 0, `verify calls ${lost} object(s) lost`);
  if (!isHurt) {
    const dangling = findDanglingMetas(root);
    check(dangling.length === 0, `metas without their chunks: ${dangling.join('; ')}`);
  }

  step('uploading something new');
  await store.ensureBucket(BUCKET);
  await store.put(BUCKET, AFTERWARDS.key, AFTERWARDS.bytes);
  found.set(AFTERWARDS.key, AFTERWARDS.bytes);

  step(mending);
  await mend(store, world, mending);
  for (const [key, bytes] of found) {
    step(`reading ${key} after ${mending}`);
    const again = await readObject(store, key);
    check(isSame(again, bytes), `${key} was ${describe(bytes)} and is ${describe(again)} after ${mending}`);
  }
}

async function openStore(root: string, world: World): Promise<ObjectStore> {
  try {
    return await ObjectStore.open(root);
  } catch (error) {
    if (!world.mayHaveNoStore || !isStoreError(error, 'STORE_NOT_FOUND')) throw error;
    return ObjectStore.open(root, { create: true });
  }
}

async function checkDisks(store: ObjectStore, world: World): Promise<void> {
  const disks = await store.disks();
  const names = disks
    .map(({ disk }) => disk)
    .sort()
    .join(' ');
  const possible = world.disks.map((list) => [...list].sort().join(' '));
  check(
    world.mayHaveNoStore || possible.includes(names),
    `the store has the disks ${names}, but must have ${possible.join(' or ')}`,
  );
  for (const { disk, state } of disks) {
    check(state.status === 'online' || world.lost.has(disk), `disk ${disk} is ${state.status}: ${state.reason}`);
  }
}

/** What was acknowledged is known to a majority of the disks, so that any half of them tells it. */
async function checkQuorum(store: ObjectStore, key: string): Promise<void> {
  const version = (await unlessAbsent(store.head(BUCKET, key)))?.version;
  const [copies, disks] = [countCopies(store.root, BUCKET, key, version), store.document.disks.length];
  check(
    copies > disks / 2,
    `only ${copies} of ${disks} disks know that ${key} is ${version === undefined ? 'gone' : `of version ${version}`}`,
  );
}

/** The object's bytes, or undefined where it is absent; `get` and `list` must say the same. */
async function readObject(store: ObjectStore, key: string): Promise<Buffer | undefined> {
  const got = await unlessAbsent(store.get(BUCKET, key));
  const bytes = got === undefined ? undefined : await buffer(got.body);
  const listed = await unlessAbsent(findListed(store, key));
  check(listed === got?.meta.version, `get and list of ${key} differ: ${got?.meta.version} and ${listed}`);
  return bytes;
}

async function findListed(store: ObjectStore, key: string): Promise<string | undefined> {
  for await (const object of store.list(BUCKET, { prefix: key })) if (object.key === key) return object.version;
  return undefined;
}

async function unlessAbsent<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isStoreError(error, 'NO_SUCH_BUCKET', 'NO_SUCH_KEY')) return undefined;
    throw error;
  }
}

/** After one gc, or heal, nothing is wrong and nothing is left over, and a second one finds nothing to do. */
async function mend(store: ObjectStore, world: World, mending: Mending): Promise<void> {
  bringBack(store.root);
  if (mending === 'heal') {
    for (const { disk, state } of await store.disks()) {
      if (state.status !== 'online' && world.lost.has(disk)) await store.replaceDisk(disk);
    }
    const { objects, whole, failed, gc } = await store.heal();
    same(
      'heal',
      { whole, failed, kept: gc?.kept, gcFailed: gc?.failed },
      { whole: objects, failed: [], kept: [], gcFailed: [] },
    );
    const verified = await store.verify();
    same('verify after heal', { whole: verified.whole, problems: verified.problems }, { whole: objects, problems: 0 });
  } else {
    const { kept, failed } = await store.gc();
    same('gc', { kept, failed }, { kept: [], failed: [] });
  }
  const untidy = findUntidy(store.root).filter((what) => !NO_MATTER.test(what));
  check(untidy.length === 0, `${mending} left ${untidy.join(', ')}`);
  same('a second gc', await store.gc(), NOTHING_TO_DO);
}

function same(what: string, found: unknown, wanted: unknown): void {
  const [is, must] = [JSON.stringify(found), JSON.stringify(wanted)];
  check(is === must, `${what}: ${is} instead of ${must}`);
}

function check(holds: boolean, message: string): void {
  if (!holds) throw new Wrong(message);
}

function isSame(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}

function describe(bytes: Buffer | undefined): string {
  return bytes === undefined ? 'absent' : `${bytes.length} bytes ${bytes.subarray(0, 4).toString('hex')}…`;
}
