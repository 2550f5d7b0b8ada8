import { describeBytes } from '../../chunks/loss.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import type { Fault, StoreError } from '../../errors.ts';
import { lockName, type LockSession } from '../../locks/locks.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { commonDocument, newestCopy, readCopies, type Copy, type DocumentKind } from '../../metadata/copies.ts';
import { compareAge, type VersionedDocument } from '../../metadata/document.ts';
import { isTombstone, type ChunkEntry, type Meta, type ObjectMeta } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import { isParity, nameShard, shardsOf, stripesOf, type ShardEntry, type Stripe } from '../../metadata/stripes.ts';
import type { StoreContext } from '../protocol/context.ts';
import type { UnreadableFolder } from '../protocol/unreadable-folders.ts';

/**
 * - `whole`: every chunk, parity chunk and meta copy is where it belongs, as it should be.
 * - `degraded`: something is not, but the object can be read.
 * - `lost`: bytes of it can't be read, or its meta can't.
 */
export type HealthState = 'whole' | 'degraded' | 'lost';

/** One thing that is not as it should be. */
export interface Problem {
  part: 'chunk' | 'parity' | 'meta';
  disk: string;
  /** On the disk. */
  path: string;
  /** `leaving`: whole, but on a disk that is being drained or is no longer the store's. */
  state: 'missing' | 'damaged' | 'unreadable' | 'offline' | 'stale' | 'leaving';
  /** For people. */
  reason: string;
}

/** How an object is; with an empty key, how the document of a bucket is; without a bucket, how the store's horizon is. */
export interface ObjectHealth {
  bucket: string;
  key: string;
  state: HealthState;
  /** Undefined where no meta could be read. */
  version: string | undefined;
  redundancy: string | undefined;
  size: number | undefined;
  /** So many more disks may be lost, whichever they are; 0 for a lost object. */
  survives: number;
  problems: Problem[];
  /** First byte, and the byte after the last one, of each run of bytes that can't be read. */
  lost: { from: number; to: number }[];
}

/** What is said of an object of which nothing is known. */
const UNKNOWN = { version: undefined, redundancy: undefined, size: undefined, survives: 0 };

/** Objects in total. */
export interface HealthReport {
  objects: number;
  whole: number;
  degraded: number;
  lost: number;
  /** Buckets whose own document has not all of its copies, or damaged ones; the store's horizon counts as one. */
  buckets: number;
  /** Bytes of chunks and parity that were looked at. */
  bytes: number;
  problems: number;
  /** Folders of metas that a disk can't list; those inside such a folder are not named. Objects that only it has a meta of are not counted. */
  unreadable: UnreadableFolder[];
}

/** Counts objects by their health. */
export class Tally {
  readonly #counts = { objects: 0, whole: 0, degraded: 0, lost: 0, buckets: 0, bytes: 0, problems: 0 };

  add({ key, state, problems }: ObjectHealth): void {
    this.#counts[key === '' ? 'buckets' : 'objects']++;
    if (key !== '') this.#counts[state]++;
    this.#counts.problems += problems.length;
  }

  addBytes(bytes: number): void {
    this.#counts.bytes += bytes;
  }

  /** @param unreadable folders that were met on the way to the objects */
  report(unreadable: UnreadableFolder[]): HealthReport {
    return { ...this.#counts, unreadable };
  }
}

/** Who looks at a document, and on which disks. */
export interface Looking {
  session: LockSession;
  view: DiskView;
  signal?: AbortSignal | undefined;
}

/** A document's copies, such that differences between them are not those of a commit that is on its way. @param lock of such commits */
export async function readQuietCopies<T extends VersionedDocument>(
  { session, view, signal }: Looking,
  kind: DocumentKind<T>,
  lock: string,
): Promise<Copy<T>[]> {
  const copies = await readCopies(view.online, kind);
  if (commonDocument(copies) !== undefined) return copies;
  await session.lock(lock, 'shared', signal);
  try {
    return await readCopies(view.online, kind);
  } finally {
    session.unlock(lock);
  }
}

/**
 * The health of an object whose version is held; undefined where it has been deleted since: no disk shows it any more.
 * @param faultOf what is wrong with a shard; undefined for one that is whole, even if it has to leave its disk
 */
export async function diagnose(
  context: StoreContext,
  looking: Looking,
  meta: ObjectMeta,
  faultOf: (shard: ShardEntry) => StoreError | undefined,
): Promise<ObjectHealth | undefined> {
  const { bucket, key } = meta;
  const { view } = looking;
  const copies = await readQuietCopies(looking, metaKind(bucket, key), lockName.key(bucket, key));
  if (copies.every((copy) => copy.state === 'absent' || (copy.state === 'valid' && isTombstone(copy.document)))) {
    await context.confirm(view);
    return undefined;
  }
  return healthOf(context, view, { meta, copies, faultOf });
}

/** What is known of an object. */
export interface Findings {
  meta: ObjectMeta;
  /** The metas of the online disks of the view, as they are while nobody commits. */
  copies: readonly Copy<Meta>[];
  /** What is wrong with a shard; undefined for one that is whole, even if it has to leave its disk. */
  faultOf: (shard: ShardEntry) => StoreError | undefined;
}

/** The health that follows from what is known of an object. */
export function healthOf(context: StoreContext, view: DiskView, { meta, copies, faultOf }: Findings): ObjectHealth {
  const diagnosis = new Diagnosis(context, view, meta, copies);
  for (const stripe of stripesOf(meta)) diagnosis.addStripe(stripe, faultOf);
  return diagnosis.conclude();
}

/** Gathers what is wrong with an object, and comes to a conclusion. */
class Diagnosis {
  readonly #context: StoreContext;
  readonly #meta: ObjectMeta;
  readonly #problems: Problem[] = [];
  readonly #lost: { from: number; to: number }[] = [];
  #survives: number;

  constructor(context: StoreContext, view: DiskView, meta: ObjectMeta, copies: readonly Copy<Meta>[]) {
    this.#context = context;
    this.#meta = meta;
    const { path } = metaKind(meta.bucket, meta.key);
    // Meanwhile a newer one may have come; what counts is whether all have it.
    const newest = newestCopy(copies)?.document ?? meta;
    this.#problems.push(...problemsOf(copies, newest, path));
    const answers = copies.filter((copy) => copy.state !== 'bad' && context.disks.isVoter(copy.disk)).length;
    const current = copies.length - this.#problems.length;
    for (const { disk, state } of view.offline) {
      const reason = `disk "${disk}" is ${state.status} (${state.reason})`;
      this.#problems.push({ part: 'meta', disk, path, state: 'offline', reason });
    }
    this.#survives = Math.min(answers - context.disks.readQuorum, current - 1);
  }

  addStripe(stripe: Stripe, faultOf: (shard: ShardEntry) => StoreError | undefined): void {
    const shards = shardsOf(stripe);
    for (const shard of shards) {
      const fault = faultOf(shard);
      if (fault === undefined && !mustLeave(this.#context, shard)) continue;
      const { disk, file } = shard;
      const part = isParity(shard) ? 'parity' : 'chunk';
      const state = fault === undefined ? 'leaving' : STATES[fault.details.fault ?? 'unreadable'];
      const reason = fault?.message ?? `${nameShard(shard)} is on disk "${disk}", which is being drained`;
      this.#problems.push({ part, disk, path: file, state, reason });
    }
    const spare = shards.filter((shard) => faultOf(shard) === undefined).length - stripe.chunks.length;
    this.#survives = Math.min(this.#survives, spare);
    const gone = stripe.chunks.filter((chunk) => faultOf(chunk) !== undefined);
    if (spare < 0 && gone.length > 0) this.#addLost(stripe, gone);
  }

  conclude(): ObjectHealth {
    const { bucket, key, version, redundancy, size } = this.#meta;
    const [problems, lost] = [this.#problems, this.#lost];
    const state = lost.length > 0 ? 'lost' : problems.length > 0 ? 'degraded' : 'whole';
    return { bucket, key, state, version, redundancy, size, survives: Math.max(0, this.#survives), problems, lost };
  }

  #addLost(stripe: Stripe, chunks: readonly ChunkEntry[]): void {
    for (const chunk of chunks) {
      const { from, to } = describeBytes(stripe, [chunk]);
      const before = this.#lost.at(-1);
      if (before?.to === from) before.to = to;
      else this.#lost.push({ from, to });
    }
  }
}

/** The health of an object whose meta can't be read. */
export function withoutMeta({ bucket, key }: Address, copies: readonly Copy<Meta>[], reason: StoreError): ObjectHealth {
  const { path } = metaKind(bucket, key);
  const problems = problemsOf(copies, undefined, path);
  if (problems.length === 0)
    problems.push({ part: 'meta', disk: reason.details.disk ?? '', path, state: 'unreadable', reason: reason.message });
  return { bucket, key, state: 'lost', ...UNKNOWN, problems, lost: [] };
}

/** A document that may say that what it was about is gone. */
export type DeletableDocument = VersionedDocument & { deleted?: true | undefined };

/** The health of a bucket's own document, or without a bucket of the store's horizon; undefined where all is well, or where there is none. */
export function healthOfDocument<T extends DeletableDocument>(
  { disks }: StoreContext,
  bucket: string,
  { path }: DocumentKind<T>,
  copies: readonly Copy<T>[],
): ObjectHealth | undefined {
  const newest = newestCopy(copies)?.document;
  if (newest?.deleted === true) return undefined;
  const problems = problemsOf(copies, newest, path);
  if (problems.length === 0) return undefined;
  const answers = copies.filter((copy) => copy.state !== 'bad' && disks.isVoter(copy.disk)).length - disks.readQuorum;
  const survives = Math.max(0, Math.min(answers, copies.length - problems.length - 1));
  const state = answers < 0 || newest === undefined ? 'lost' : 'degraded';
  return { bucket, key: '', state, ...UNKNOWN, version: newest?.version, survives, problems, lost: [] };
}

/** Whether a shard is on a disk that gives its chunks away, or that the store no longer has. */
export function mustLeave({ disks }: StoreContext, shard: ShardEntry): boolean {
  return disks.roleOf(shard.disk) === 'draining' || !disks.disks.some(({ name }) => name === shard.disk);
}

/** What is wrong with a document's copies. @param newest undefined where it is not known: then only what can't be read is wrong */
function problemsOf<T extends VersionedDocument>(
  copies: readonly Copy<T>[],
  newest: T | undefined,
  path: string,
): Problem[] {
  return copies.flatMap((copy) => {
    const wrong = whatIsWrong(copy, newest);
    return wrong === undefined ? [] : [{ part: 'meta' as const, disk: copy.disk.name, path, ...wrong }];
  });
}

function whatIsWrong<T extends VersionedDocument>(
  copy: Copy<T>,
  newest: T | undefined,
): Pick<Problem, 'state' | 'reason'> | undefined {
  if (copy.state === 'bad')
    return { state: copy.bytes === undefined ? 'unreadable' : 'damaged', reason: copy.error.message };
  if (newest === undefined) return undefined;
  const on = `the meta on disk "${copy.disk.name}"`;
  if (copy.state === 'absent') return { state: 'missing', reason: `${on} is missing` };
  if (copy.state === 'other') return { state: 'damaged', reason: `${on} is that of ${JSON.stringify(copy.name)}` };
  if (compareAge(copy.document, newest) === 0) return undefined;
  return { state: 'stale', reason: `${on} is of version ${copy.document.version}` };
}

/** How a shard with a fault is. */
const STATES: Record<Fault, Problem['state']> = {
  missing: 'missing',
  damaged: 'damaged',
  'too-long': 'damaged',
  blocked: 'unreadable',
  closed: 'unreadable',
  offline: 'offline',
  slow: 'unreadable',
  unreadable: 'unreadable',
};
