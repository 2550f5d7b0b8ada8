import type { Disk, StagedFile } from '../disks/disk.ts';
import { isDiskFault, isStoreError, StoreError } from '../errors.ts';
import type { Copy } from './copies.ts';

export interface PublishOptions {
  path: string;
  /** Folder that must be there; folders below it are made. */
  within: string;
  /** The operation's id, locked by the caller. */
  id: string;
  durable: boolean;
  /** How many disks must hold the document for it to count. */
  quorum: number;
  /** Called before what has been shown is taken back. */
  beforeUndo: () => Promise<void>;
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

/**
 * Puts one document under one path on many disks.
 *
 * All disks stage it before the first publishes it: what fails for want of room fails in the first step, unseen. If the
 * second step does not reach the quorum, the disks get back what `before` says they had. The caller holds the
 * document's lock from before it read `before`.
 *
 * @returns the disks that failed although the quorum was reached; they hold an older copy, or none
 * @throws PublishError, or OUT_OF_RESOURCES with every disk as it was
 */
export async function publish(
  before: readonly Copy<unknown>[],
  bytes: Uint8Array,
  options: PublishOptions,
): Promise<DiskFailure[]> {
  const { path, quorum } = options;
  const staged: { copy: Copy<unknown>; file: StagedFile }[] = [];
  const failures: DiskFailure[] = [];
  await Promise.all(
    before.map(async (copy) => {
      try {
        staged.push({ copy, file: await copy.disk.stage(path, bytes, options) });
      } catch (error) {
        failures.push(failure(copy.disk, error));
      }
    }),
  );
  // A shortage of this process accuses no disk: nothing has been shown yet, so all of it can end here.
  const shortage = failures.find(({ error }) => !isDiskFault(error))?.error;
  if (staged.length < quorum || shortage !== undefined) {
    await Promise.all(staged.map(({ file }) => file.discard().catch(() => undefined)));
    throw shortage ?? new PublishError(options, failures, true);
  }

  let published = 0;
  await Promise.all(
    staged.map(async ({ copy, file }) => {
      try {
        await publishOne(file);
        published++;
      } catch (error) {
        failures.push(failure(copy.disk, error));
      }
    }),
  );
  if (published >= quorum) return failures;
  await options.beforeUndo();
  const undone = await Promise.all(staged.map(({ copy }) => putBack(copy, options)));
  throw new PublishError(options, failures, undone.every(Boolean));
}

/** Makes a disk's copy what it was, and tells whether that worked. */
export async function putBack(copy: Copy<unknown>, options: PublishOptions): Promise<boolean> {
  try {
    if (copy.state === 'absent') {
      await copy.disk.remove(options.path, options);
      return true;
    }
    if (copy.bytes === undefined) return false;
    await publishOne(await copy.disk.stage(options.path, copy.bytes, options));
    return true;
  } catch (error) {
    if (isStoreError(error)) return false;
    throw error;
  }
}

async function publishOne(file: StagedFile): Promise<void> {
  try {
    await file.publish();
  } catch (error) {
    await file.discard().catch(() => undefined);
    throw error;
  }
}

function failure(disk: Disk, error: unknown): DiskFailure {
  if (isStoreError(error)) return { disk, error };
  throw error;
}
