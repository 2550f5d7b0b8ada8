import type { DiskView } from '../../disks/disk-set.ts';
import { lockName } from '../../locks/locks.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { areUnchanged, commonDocument, newestCopy, readManyCopies, type Copy } from '../../metadata/copies.ts';
import { isTombstone, uploadIds, type Meta, type ObjectMeta } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import type { StoreContext } from './context.ts';

/** Versions that are held for reading: nobody removes their chunks until `release`. */
export interface OpenVersions {
  /** In the order of the addresses; undefined where that is not plain, which `openVersion` knows what to make of. */
  metas: (ObjectMeta | undefined)[];
  view: DiskView;
  release: () => Promise<void>;
}

/**
 * Finds the newest versions of many objects and holds them, as `openVersion` does: with one session, and two calls to each disk. It
 * waits for nobody. Plain is an object of which all disks that are there say the same, to the byte, before it is held and after.
 * @throws TOO_FEW_DISKS_TO_READ, …
 */
export async function openVersions(context: StoreContext, addresses: readonly Address[]): Promise<OpenVersions> {
  const view = await context.lookForReading();
  const session = await context.locks.open('read');
  try {
    const kinds = addresses.map(({ bucket, key }) => metaKind(bucket, key));
    const copies = await readManyCopies(
      view.online,
      kinds.map((kind) => ({ kind, holders: view.online })),
    );
    const metas = copies.map(commonObject);
    const held: Held[] = [];
    for (const [index, meta] of metas.entries()) {
      const [path, bytes] = [kinds[index]?.path, newestCopy(copies[index] ?? [])?.bytes];
      if (meta === undefined || path === undefined || bytes === undefined) continue;
      // Another object's lock may be among them, so what was taken stays.
      if (uploadIds(meta).every((id) => session.tryLock(lockName.upload(id), 'shared')))
        held.push({ index, path, bytes });
    }
    const unchanged = session.effective ? await areUnchanged(view.online, held) : held.map(() => true);
    const plain = new Set(held.filter((_, at) => unchanged[at]).map(({ index }) => index));
    const found = metas.map((meta, index) => (plain.has(index) ? meta : undefined));
    return { metas: found, view, release: () => session.close() };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** An object whose uploads are locked, by its place among the addresses, and its meta. */
interface Held {
  index: number;
  path: string;
  bytes: Buffer;
}

/** The object that all disks have alike. */
function commonObject(copies: readonly Copy<Meta>[]): ObjectMeta | undefined {
  const meta = commonDocument(copies);
  return meta === undefined || isTombstone(meta) ? undefined : meta;
}
