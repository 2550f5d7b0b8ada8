import type { Disk, StagedFiles, WriteOptions } from '../disks/disk.ts';
import { isDiskFault, isStoreError, must, StoreError } from '../errors.ts';
import type { Copy } from './copies.ts';

/** How documents are published. */
export interface Publishing {
  durable: boolean;
  /** How many disks must hold a document for it to count. */
  quorum: number;
  /** Called before what has been shown is taken back. */
  beforeUndo: () => Promise<void>;
}

/** Where a document goes, and by whom. */
export interface Place {
  path: string;
  /** Folder that must be there; folders below it are made. */
  within: string;
  /** The operation's id, locked by the caller; of documents that are published together, each has its own. */
  id: string;
}

export type PublishOptions = Place & Publishing;

/** A document to be published. */
export interface Publication extends Place {
  /** What the disks that it goes to have in its place. The caller holds the document's lock from before it read that. */
  before: readonly Copy<unknown>[];
  bytes: Uint8Array;
}

/** A disk that could not take a document, and why. */
export interface DiskFailure {
  disk: Disk;
  error: StoreError;
}

/**
 * A write that did not reach its quorum, with the error of the disk that is worst off. `undone`: every disk is again as it
 * was; otherwise some disk may still show the new document.
 */
export class PublishError extends StoreError {
  readonly path: string;
  readonly quorum: number;
  readonly failures: readonly DiskFailure[];
  readonly undone: boolean;

  constructor(
    { path, quorum }: Pick<PublishOptions, 'path' | 'quorum'>,
    failures: readonly DiskFailure[],
    undone: boolean,
  ) {
    const errors = failures.map(({ error }) => error);
    const worst = errors.find(({ code }) => code !== 'DISK_FULL') ?? errors[0];
    if (worst === undefined) super('TOO_FEW_DISKS_TO_WRITE', `a write needs ${quorum} disks`, { expected: quorum });
    else super(worst.code, `too few disks took the write (${quorum} must): ${worst.message}`, worst.details, worst);
    this.path = path;
    this.quorum = quorum;
    this.failures = failures;
    this.undone = undone;
  }
}

/** Whether a write that failed may have left the document under `path` on some disk, so that whatever it refers to must stay. */
export function mayShow(error: unknown, path: string): boolean {
  return error instanceof PublishError && error.path === path && !error.undone;
}

/** What became of a document: the disks that failed although the quorum was reached, which hold an older copy or none; or the failure. */
export type Published = DiskFailure[] | StoreError;

/**
 * Puts documents, each under its path, on many disks.
 *
 * All disks stage all of them before the first is published: what fails for want of room fails in the first step, unseen. Where
 * the second step does not reach a document's quorum, its disks get back what `before` says they had. What becomes of one
 * document does not touch the others.
 *
 * @returns for each document, in their order: a failure is a PublishError, or OUT_OF_RESOURCES with every disk as it was
 */
export async function publishAll(documents: readonly Publication[], how: Publishing): Promise<Published[]> {
  const tasks = documents.map((document) => new Task(document, how.quorum));
  const disks = new Set(documents.flatMap(({ before }) => before.map(({ disk }) => disk)));
  const groups = await Promise.all([...disks].map((disk) => stageOn(disk, tasks, how.durable)));
  for (const task of tasks) if (task.isEnough) task.show();
  await Promise.all(groups.map(publishOn));
  const short = tasks.filter(({ isShown, isEnough }) => isShown && !isEnough);
  if (short.length > 0) await how.beforeUndo();
  await Promise.all(short.map((task) => task.undo(how.durable)));
  return tasks.map(({ result }) => result);
}

/** The same for one document. @throws its failure */
export async function publish(
  before: readonly Copy<unknown>[],
  bytes: Uint8Array,
  { path, within, id, ...how }: PublishOptions,
): Promise<DiskFailure[]> {
  const [published] = await publishAll([{ path, within, id, before, bytes }], how);
  if (Array.isArray(published)) return published;
  throw must(published, 'result');
}

/** A document on its way to its disks. */
class Task {
  readonly document: Publication;
  readonly #quorum: number;
  readonly #failures = new Map<Disk, StoreError>();
  #staged: readonly Copy<unknown>[] = [];
  #isShown = false;
  #isUndone = true;

  constructor(document: Publication, quorum: number) {
    this.document = document;
    this.#quorum = quorum;
  }

  get isShown(): boolean {
    return this.#isShown;
  }

  /** From here on the disks that have staged it may show it. */
  show(): void {
    this.#isShown = true;
    this.#staged = this.document.before.filter(({ disk }) => !this.#failures.has(disk));
  }

  /** Whether enough disks have done so far what they were asked for. */
  get isEnough(): boolean {
    return this.#shortage === undefined && this.document.before.length - this.#failures.size >= this.#quorum;
  }

  get result(): Published {
    const failures = [...this.#failures].map(([disk, error]) => ({ disk, error }));
    if (this.isEnough) return failures;
    const { path } = this.document;
    return this.#shortage ?? new PublishError({ path, quorum: this.#quorum }, failures, this.#isUndone);
  }

  fail(disk: Disk, error: StoreError): void {
    this.#failures.set(disk, error);
  }

  async undo(durable: boolean): Promise<void> {
    const undone = await Promise.all(this.#staged.map((copy) => putBack(copy, { ...this.document, durable })));
    this.#isUndone = undone.every(Boolean);
  }

  /** A shortage of this process accuses no disk. As long as nothing has been shown, all of it can end with that. */
  get #shortage(): StoreError | undefined {
    return this.#isShown ? undefined : [...this.#failures.values()].find((error): boolean => !isDiskFault(error));
  }
}

/** What one disk has staged, of its tasks in their order. */
interface Staged {
  disk: Disk;
  tasks: readonly Task[];
  files: StagedFiles;
}

async function stageOn(disk: Disk, all: readonly Task[], durable: boolean): Promise<Staged> {
  const tasks = all.filter(({ document }) => document.before.some((copy) => copy.disk === disk));
  const documents = tasks.map(({ document }) => document);
  const files = await disk.stageMany(documents, { durable });
  for (const [index, error] of files.failures) must(tasks[index], 'task').fail(disk, error);
  return { disk, tasks, files };
}

async function publishOn({ disk, tasks, files }: Staged): Promise<void> {
  const staged = [...tasks.keys()].filter((index) => !files.failures.has(index));
  const [shown, unseen]: [number[], number[]] = [[], []];
  for (const index of staged) (tasks[index]?.isShown === true ? shown : unseen).push(index);
  const failures = await files.publish(shown);
  for (const [index, error] of failures) must(tasks[index], 'task').fail(disk, error);
  await files.discard([...unseen, ...failures.keys()]);
}

/** Makes a disk's copy what it was, and tells whether that worked. */
export async function putBack(copy: Copy<unknown>, options: Place & WriteOptions): Promise<boolean> {
  try {
    if (copy.state === 'absent') {
      await copy.disk.remove(options.path, options);
      return true;
    }
    if (copy.bytes === undefined) return false;
    const file = await copy.disk.stage(options.path, copy.bytes, options);
    try {
      await file.publish();
    } catch (error) {
      await file.discard().catch(() => undefined);
      throw error;
    }
    return true;
  } catch (error) {
    if (isStoreError(error)) return false;
    throw error;
  }
}
