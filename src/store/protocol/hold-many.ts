import type { DiskView } from '../../disks/disk-set.ts';
import { must } from '../../errors.ts';
import { lockName, type LockSession } from '../../locks/locks.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { areUnchanged, commonDocument, newestCopy, readManyCopies, type Copy } from '../../metadata/copies.ts';
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
  /** Undefined where there is something about an object that is not as it mostly is. */
  versions: (HeldVersion | undefined)[];
}

/**
 * Holds the newest versions of many objects as `holdVersion` does that of one, and waits for nobody: so no two who hold many
 * wait for one another in a circle. It holds those about which the disks that are there agree to the byte, and which nobody has locked.
 * Locks of uploads that turn out to be of no use stay until the session ends: another object's chunks may come from the same.
 * @param objects each of them once, if they take a lock alone
 */
export async function holdVersions(
  context: StoreContext,
  objects: readonly Address[],
  { session, view, alone, narrow }: HoldingMany,
): Promise<HeldVersions> {
  const found = await readCommon(context, view, objects);
  const isHeld = ({ meta }: Common): boolean =>
    uploadIds(meta).every((id) => session.tryLock(lockName.upload(id), 'shared')) &&
    (alone === undefined || session.tryLock(alone(meta), 'exclusive'));
  const held = found.filter((version) => version !== undefined).filter(isHeld);
  // Whoever had a lock before may have given up a call to a disk.
  const now = (await narrow?.(view)) ?? view;
  // Who removes chunks does it after a newer meta, so those of a version that is still the newest are there, and stay.
  const unchanged = session.effective ? await areUnchanged(now.online, held) : held.map(() => true);
  const kept = new Set(held.filter((_, index) => unchanged[index]));
  for (const version of held) if (alone !== undefined && !kept.has(version)) session.unlock(alone(version.meta));
  const versions = found.map((version) => {
    if (version === undefined || !kept.has(version)) return undefined;
    return { meta: version.meta, copies: version.copies.filter(({ disk }) => now.online.includes(disk)) };
  });
  return { view: now, versions };
}

/** An object's meta, which all disks have alike, and where it is. */
interface Common extends HeldVersion {
  path: string;
  bytes: Buffer;
}

/** The objects of which all disks of the view have the same meta, which R disks vouch for. */
async function readCommon(
  { disks }: StoreContext,
  { online }: DiskView,
  objects: readonly Address[],
): Promise<(Common | undefined)[]> {
  const isEnough = online.filter((disk) => disks.isVoter(disk)).length >= disks.readQuorum;
  if (!isEnough) return objects.map(() => undefined);
  const sought = objects.map(({ bucket, key }) => ({ kind: metaKind(bucket, key), holders: online }));
  const found = await readManyCopies(online, sought);
  return found.map((copies, index) => {
    const meta = commonDocument(copies);
    const bytes = newestCopy(copies)?.bytes;
    if (meta === undefined || isTombstone(meta) || bytes === undefined) return undefined;
    return { meta, copies, path: must(sought[index], 'document').kind.path, bytes };
  });
}
