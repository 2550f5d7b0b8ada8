import { lockName } from '../locks/locks.ts';
import { agreedDocument, newestCopy, readCopies, type Copy } from '../metadata/copies.ts';
import { formatDocument, type VersionedDocument } from '../metadata/document.ts';
import { HORIZON_FOLDER, horizonKind, makeHorizon, type Horizon } from '../metadata/horizon.ts';
import { publish } from '../metadata/publish.ts';
import { isVersion, versionAfter, versionBeyond } from '../metadata/version.ts';
import { throwAsDiskError, type Writer } from './commit.ts';
import type { StoreContext } from './context.ts';
import type { Settled } from './settle.ts';

/** So far the horizon is moved on at a time: a busy store writes it once in as many milliseconds. */
const STEP_MS = 10 * 60 * 1000;

/** What the processes of this machine tell one another: the last version minted, and a horizon that W disks have. */
interface Minted {
  last: string;
  horizon: string;
}

/**
 * A version that is later than every one minted before it, by anybody, and so than all that any disk can ever show. The
 * caller holds the lock of what it is for. `docs/design.md` has the proof; it rests on locks and quorums, and on no clock.
 *
 * @param shown what the disks have under the name that the version is for
 * @throws TOO_FEW_DISKS_TO_READ, META_DAMAGED, or the disks' error, where a horizon is needed that can't be read or written
 */
export async function mintVersion(context: StoreContext, writer: Writer, shown: readonly Copy<VersionedDocument>[]): Promise<string> {
  const { session, signal } = writer;
  const newest = newestCopy(shown)?.document;
  const atLeast = later(newest?.version, newest?.revision);
  await session.lock(lockName.clock(), 'exclusive', signal);
  try {
    let version: string | undefined;
    let known: Minted | undefined;
    await session.updateNote((note) => {
      known = parseNote(note);
      if (known === undefined) return note;
      const next = versionAfter(later(known.last, atLeast));
      if (next > known.horizon) return note;
      version = next;
      return formatNote({ ...known, last: next });
    });
    return version ?? (await mintBeyond(context, writer, later(known?.last, atLeast)));
  } finally {
    session.unlock(lockName.clock());
  }
}

/** Mints from the horizon on, which is moved first. The caller holds the clock's lock. */
async function mintBeyond(context: StoreContext, writer: Writer, atLeast: string | undefined): Promise<string> {
  const copies = await readCopies(writer.view.online, horizonKind);
  // Beyond it nothing has been minted; a copy that did not reach its quorum says so of more, which does no harm.
  const before = later(agreedDocument(context.disks, copies, false)?.version, newestCopy(copies)?.document.version);
  const version = versionAfter(later(before, atLeast));
  const horizon = versionBeyond(version, STEP_MS);
  await publishHorizon(context, writer, copies, makeHorizon(horizon), context.disks.writeQuorum);
  await writer.session.updateNote(() => formatNote({ last: version, horizon }));
  return version;
}

/**
 * Brings the horizon to all disks that are there, or with `dryRun` looks whether they have it.
 * A disk that is to count in reads must have it, because the quorums of before were of other disks.
 */
export async function settleHorizon(
  context: StoreContext,
  writer: Writer,
  { dryRun, allowStale = false }: { dryRun: boolean; allowStale?: boolean | undefined },
): Promise<Settled> {
  const settled: Settled = { outcome: 'agreed', live: [], blocked: [], isVouchedFor: true };
  const session = await context.locks.open('write');
  try {
    // Who looks may already keep all commits out, and the membership that it changes.
    if (!dryRun) await context.lockDisks({ ...writer, session });
    await session.lock(lockName.clock(), 'exclusive', writer.signal);
    const view = dryRun ? writer.view : await context.disks.narrow(writer.view);
    const copies = await readCopies(view.online, horizonKind);
    const newest = later(agreedDocument(context.disks, copies, allowStale)?.version, newestCopy(copies)?.document.version);
    const behind = copies.filter((copy) => newest !== undefined && (copy.state !== 'valid' || copy.document.version !== newest));
    if (newest === undefined || behind.length === 0) return settled;
    if (!dryRun) await publishHorizon(context, { ...writer, session, view }, behind, makeHorizon(newest), behind.length);
    return { ...settled, outcome: 'settled' };
  } finally {
    await session.close();
  }
}

async function publishHorizon(
  context: StoreContext,
  { id, durable }: Writer,
  copies: readonly Copy<Horizon>[],
  horizon: Horizon,
  quorum: number,
): Promise<void> {
  const options = { path: horizonKind.path, within: HORIZON_FOLDER, id, durable, quorum };
  await publish(copies, Buffer.from(formatDocument(horizon)), options).catch((error: unknown) => throwAsDiskError(context, error, quorum));
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
