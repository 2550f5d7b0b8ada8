import type { DiskView } from '../../disks/disk-set.ts';
import { lockName, type LockSession } from '../../locks/locks.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { commonDocument, readManyCopies, type Copy } from '../../metadata/copies.ts';
import { isTombstone, uploadIds, type Meta, type ObjectMeta } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import type { StoreContext } from './context.ts';

/** An object's newest version, which is held; all disks that are there have one and the same meta of it. */
export interface HeldVersion {
  meta: ObjectMeta;
  copies: readonly Copy<Meta>[];
}

export interface HoldingMany {
  session: LockSession;
  view: DiskView;
  /** A further lock that a version takes, alone. */
  alone?: ((meta: ObjectMeta) => string) | undefined;
  /** Looks at the disks of the view once more when the locks are had. */
  narrow?: ((view: DiskView) => Promise<DiskView>) | undefined;
}

/** Versions that are held, in the order of their objects, and the disks that have them. */
export interface HeldVersions {
  view: DiskView;
  /** Undefined where there is something about an object that is not as it mostly is; its locks are free then. */
  versions: (HeldVersion | undefined)[];
}

/**
 * Holds the newest versions of many objects as `holdVersion` does that of one, and waits for nobody: so no two who hold many
 * wait for one another in a circle. It holds those about which the disks that are there agree, and which nobody has locked.
 * @param objects each of them once
 */
export async function holdVersions(
  context: StoreContext,
  objects: readonly Address[],
  { session, view, alone, narrow }: HoldingMany,
): Promise<HeldVersions> {
  const found = await readCommon(context, view, objects);
  const locksOf = (meta: ObjectMeta): { name: string; mode: 'shared' | 'exclusive' }[] => [
    ...uploadIds(meta).map((id) => ({ name: lockName.upload(id), mode: 'shared' as const })),
    ...(alone === undefined ? [] : [{ name: alone(meta), mode: 'exclusive' as const }]),
  ];
  const unlock = (meta: ObjectMeta, count = Infinity): void => {
    for (const { name } of locksOf(meta).slice(0, count)) session.unlock(name);
  };
  const locked = found.map((version) => {
    if (version === undefined) return undefined;
    const refused = locksOf(version.meta).findIndex(({ name, mode }) => !session.tryLock(name, mode));
    if (refused === -1) return version.meta;
    unlock(version.meta, refused);
    return undefined;
  });
  // Whoever had a lock before may have given up a call to a disk.
  const now = (await narrow?.(view)) ?? view;
  const again = await readCommon(context, now, objects);
  const versions = locked.map((meta, index) => {
    if (meta === undefined) return undefined;
    const version = again[index];
    // Who removes chunks does it after a newer meta, so those of a version that is still the newest are there, and stay.
    if (version?.meta.version === meta.version) return version;
    unlock(meta);
    return undefined;
  });
  return { view: now, versions };
}

/** The objects of which all disks of the view have the same meta, which R disks vouch for. */
async function readCommon(
  { disks }: StoreContext,
  { online }: DiskView,
  objects: readonly Address[],
): Promise<(HeldVersion | undefined)[]> {
  const isEnough = online.filter((disk) => disks.isVoter(disk)).length >= disks.readQuorum;
  if (!isEnough) return objects.map(() => undefined);
  const sought = objects.map(({ bucket, key }) => ({ kind: metaKind(bucket, key), holders: online }));
  const found = await readManyCopies(online, sought);
  return found.map((copies) => {
    const meta = commonDocument(copies);
    return meta === undefined || isTombstone(meta) ? undefined : { meta, copies };
  });
}
