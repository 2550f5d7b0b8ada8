import type * as v from 'valibot';
import type { Disk, ReadOutcome } from '../disks/disk.ts';
import type { DiskSet } from '../disks/disk-set.ts';
import { diskFault, isDiskFault, StoreError } from '../errors.ts';
import { compareAge, parseDocument, type VersionedDocument } from './document.ts';

/** What one disk says about a document. */
export type Copy<T> =
  | { disk: Disk; state: 'valid'; document: T; bytes: Buffer }
  | { disk: Disk; state: 'absent' }
  /** A document of another name lies there: the disk's file system takes both names for one. */
  | { disk: Disk; state: 'other'; name: string; bytes: Buffer }
  /** Damaged, or unreadable (then without bytes): not an answer. */
  | { disk: Disk; state: 'bad'; error: StoreError; bytes: Buffer | undefined };

export type ValidCopy<T> = Extract<Copy<T>, { state: 'valid' }>;

/** How to read and recognise a kind of document. */
export interface DocumentKind<T> {
  path: string;
  /** Folder that must be there; those below it come and go with what is in them. */
  within: string;
  schema: v.GenericSchema<unknown, T>;
  /** The name that the document must carry. */
  name: string;
  nameOf: (document: T) => string;
}

/** A document among many that are read together. */
export interface SoughtDocument<T> {
  kind: DocumentKind<T>;
  /** The disks that have it, or may have it: of the others it is known that they have none. */
  holders: readonly Disk[];
}

/**
 * Reads a document's copies on the given disks, and recognises each. What is wrong with a disk or a copy makes that a bad copy.
 * Copies that are the same to the byte, as they mostly are, are parsed once.
 * @throws OUT_OF_RESOURCES, ABORTED: these say nothing of a copy
 */
export async function readCopies<T extends VersionedDocument>(
  disks: readonly Disk[],
  kind: DocumentKind<T>,
): Promise<Copy<T>[]> {
  const copies: Copy<T>[] = [];
  const outcomes = await Promise.all(disks.map((disk) => readOne(disk, kind.path)));
  for (const [index, disk] of disks.entries()) copies.push(recognise(disk, outcomes[index] ?? ABSENT, kind, copies));
  return copies;
}

/** The same of many documents, with one call to each disk: what each of the disks says of each document. */
export async function readManyCopies<T extends VersionedDocument>(
  disks: readonly Disk[],
  documents: readonly SoughtDocument<T>[],
): Promise<Copy<T>[][]> {
  const outcomes = await Promise.all(disks.map((disk) => readMany(disk, documents)));
  return documents.map(({ kind }, index) => {
    const copies: Copy<T>[] = [];
    for (const [place, disk] of disks.entries())
      copies.push(recognise(disk, outcomes[place]?.[index] ?? ABSENT, kind, copies));
    return copies;
  });
}

/**
 * Reads documents once more, with one call to each disk, and tells of each whether all disks have the very bytes that they had.
 * @param documents with what every one of the disks had
 */
export async function areUnchanged(
  disks: readonly Disk[],
  documents: readonly { path: string; bytes: Buffer }[],
): Promise<boolean[]> {
  const paths = documents.map(({ path }) => path);
  const outcomes = paths.length === 0 ? [] : await Promise.all(disks.map((disk) => disk.readMany(paths)));
  return documents.map(({ bytes: before }, index) =>
    outcomes.every((found) => {
      const outcome = found[index] ?? ABSENT;
      return 'bytes' in outcome && outcome.bytes?.equals(before) === true;
    }),
  );
}

const ABSENT: ReadOutcome = { bytes: undefined };

async function readOne(disk: Disk, path: string): Promise<ReadOutcome> {
  try {
    return { bytes: await disk.read(path) };
  } catch (error) {
    return { error: diskFault(error) };
  }
}

/** What a disk has of the documents, in their order. */
async function readMany<T>(disk: Disk, documents: readonly SoughtDocument<T>[]): Promise<ReadOutcome[]> {
  const held = documents.filter(({ holders }) => holders.includes(disk));
  const found = held.length === 0 ? [] : await disk.readMany(held.map(({ kind }) => kind.path));
  if (held.length === documents.length) return found;
  let next = 0;
  return documents.map(({ holders }) => (holders.includes(disk) ? found[next++] : undefined) ?? ABSENT);
}

/** @param known copies of other disks, which this one may be the same as */
function recognise<T extends VersionedDocument>(
  disk: Disk,
  outcome: ReadOutcome,
  kind: DocumentKind<T>,
  known: readonly Copy<T>[],
): Copy<T> {
  if ('error' in outcome) return { disk, state: 'bad', error: diskFault(outcome.error), bytes: undefined };
  const { bytes } = outcome;
  if (bytes === undefined) return { disk, state: 'absent' };
  for (const copy of known) {
    if (copy.state === 'valid' && copy.bytes.equals(bytes))
      return { disk, state: 'valid', document: copy.document, bytes };
  }
  const details = { disk: disk.name, path: `${disk.name}/${kind.path}` };
  try {
    const document = parseDocument(bytes, kind.schema, details);
    const name = kind.nameOf(document);
    if (name === kind.name) return { disk, state: 'valid', document, bytes };
    if (fold(name) === fold(kind.name)) return { disk, state: 'other', name, bytes };
    const error = new StoreError('META_DAMAGED', `${details.path} is the document of ${JSON.stringify(name)}`, details);
    return { disk, state: 'bad', error, bytes };
  } catch (error) {
    if (isDiskFault(error)) return { disk, state: 'bad', error, bytes };
    throw error;
  }
}

/** What case-folding and normalising file systems make of a name. */
function fold(name: string): string {
  // Upper case first: some letters have two lower-case forms (final sigma) or upper-case forms of several letters.
  return name.normalize('NFD').toUpperCase().toLowerCase().normalize('NFC');
}

/** The one document that all of the disks have, to the byte; undefined where they don't, or where there is no disk. */
export function commonDocument<T>(copies: readonly Copy<T>[]): T | undefined {
  const [first] = copies;
  if (first?.state !== 'valid') return undefined;
  const { document } = first;
  return copies.every((copy) => copy.state === 'valid' && copy.document === document) ? document : undefined;
}

/** The newest valid copy, or undefined where no copy is valid. */
export function newestCopy<T extends VersionedDocument>(copies: readonly Copy<T>[]): ValidCopy<T> | undefined {
  let newest: ValidCopy<T> | undefined;
  for (const copy of copies) {
    if (copy.state !== 'valid') continue;
    if (newest === undefined || compareAge(copy.document, newest.document) > 0) newest = copy;
  }
  return newest;
}

/**
 * The newest document that R disks together vouch for, or undefined where they say that there is none.
 * @throws META_DAMAGED, UNKNOWN_FORMAT or TOO_FEW_DISKS_TO_READ where so many copies are bad that too few disks answered
 */
export function agreedDocument<T extends VersionedDocument>(
  set: DiskSet,
  copies: readonly Copy<T>[],
  allowStale: boolean,
): T | undefined {
  const bad = copies.filter((copy) => copy.state === 'bad');
  const answers = copies.filter((copy) => copy.state !== 'bad' && (allowStale || set.isVoter(copy.disk))).length;
  const newest = newestCopy(copies)?.document;
  const needed = allowStale ? 1 : set.readQuorum;
  if (answers < needed || (allowStale && newest === undefined && bad.length > 0)) {
    const first = bad[0]?.error;
    if (first?.code === 'META_DAMAGED' || first?.code === 'UNKNOWN_FORMAT') throw first;
    const reason = first === undefined ? '' : `: ${first.message}`;
    const words = `${answers} of ${set.disks.length} disks answered, a read needs ${needed}${reason}`;
    const details = { ...first?.details, expected: needed, found: answers };
    throw new StoreError('TOO_FEW_DISKS_TO_READ', words, details, first);
  }
  return newest;
}
