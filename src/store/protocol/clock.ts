import type { DiskView } from '../../disks/disk-set.ts';
import { must, StoreError } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { agreedDocument, newestCopy, readCopies } from '../../metadata/copies.ts';
import type { VersionedDocument } from '../../metadata/document.ts';
import { horizonKind, makeHorizon } from '../../metadata/horizon.ts';
import { isVersion, versionAfter, versionBeyond } from '../../metadata/version.ts';
import type { Locked, Operation } from './operation.ts';

/** So far the horizon is moved on at a time: a busy store writes it once in as many milliseconds. */
const STEP_MS = 10 * 60 * 1000;

/** What the processes of this machine tell one another: the last version minted, and a horizon that W disks have. */
interface Minted {
  last: string;
  horizon: string;
}

/** The names that versions are for are locked, and these are their documents' copies. */
type Named = Pick<Locked<VersionedDocument>, 'view' | 'copies'>;

/**
 * A version that is later than every one minted before it, by anybody, and so than all that any disk can ever show. The
 * name that it is for is locked. `docs/design.md` has the proof; it rests on locks and quorums, and on no clock.
 *
 * @throws TOO_FEW_DISKS_TO_READ, META_DAMAGED, or the disks' error, where a horizon is needed that can't be read or written
 */
export async function mintVersion(operation: Operation, { view, copies }: Named): Promise<string> {
  const [version] = await mintVersions(operation, { view, copies }, 1);
  return must(version, 'version');
}

/** So many of them, one later than the other. @param copies of all the names that they are for @throws the same */
export async function mintVersions(operation: Operation, { view, copies }: Named, count: number): Promise<string[]> {
  const { session, signal } = operation;
  const newest = newestCopy(copies)?.document;
  const atLeast = later(newest?.version, newest?.revision);
  await session.lock(lockName.clock(), 'exclusive', signal);
  try {
    let versions: string[] | undefined;
    let known: Minted | undefined;
    await session.updateNote((note) => {
      known = parseNote(note);
      if (known === undefined) return note;
      const next = versionsAfter(later(known.last, atLeast), count);
      const last = must(next.at(-1), 'version');
      if (last > known.horizon) return note;
      versions = next;
      return formatNote({ ...known, last });
    });
    return versions ?? (await mintBeyond(operation, view, known, { atLeast, count }));
  } finally {
    session.unlock(lockName.clock());
  }
}

/**
 * Mints beyond what is known, and moves the horizon first. The caller holds the clock's lock.
 * @param known what the note says; without it, R disks must answer for the horizon
 */
async function mintBeyond(
  operation: Operation,
  began: DiskView,
  known: Minted | undefined,
  { atLeast, count }: { atLeast: string | undefined; count: number },
): Promise<string[]> {
  // Who had the clock before may have given up writing the horizon to a disk that hangs.
  const { disks } = operation.context;
  const { path } = horizonKind;
  const view = await disks.narrow(began);
  const copies = await readCopies(view.online, horizonKind);
  // Beyond it nothing has been minted; a copy that did not reach its quorum says so of more, which does no harm.
  const agreed = known?.horizon ?? agreedDocument(disks, copies, false)?.version;
  const before = known?.last ?? later(agreed, newestCopy(copies)?.document.version);
  const versions = versionsAfter(later(before, atLeast), count);
  const last = must(versions.at(-1), 'version');
  const horizon = versionBeyond(later(last, agreed) ?? last, STEP_MS);
  if (!isVersion(last) || last > horizon)
    throw new StoreError('STORE_DAMAGED', 'no later version can be made than those that are there', { path });
  // What a later program has written is not to be touched.
  const ours = copies.filter((copy) => copy.state !== 'bad' || copy.error.code !== 'UNKNOWN_FORMAT');
  await operation.publish({ kind: horizonKind, view, copies: ours }, makeHorizon(horizon));
  await operation.session.updateNote(() => formatNote({ last, horizon }));
  return versions;
}

function versionsAfter(before: string | undefined, count: number): string[] {
  const versions: string[] = [];
  for (let last = before; versions.length < count;) versions.push((last = versionAfter(last)));
  return versions;
}

function later(a: string | undefined, b: string | undefined): string | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a;
}

function formatNote({ last, horizon }: Minted): string {
  return `${last} ${horizon}`;
}

function parseNote(note: string): Minted | undefined {
  const [last = '', horizon = ''] = note.split(' ');
  return isVersion(last) && isVersion(horizon) ? { last, horizon } : undefined;
}
