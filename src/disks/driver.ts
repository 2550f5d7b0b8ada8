import type { Turns } from '../concurrency/call-gate.ts';
import type { Disk } from './disk.ts';
import type { DiskIdentity } from './identity.ts';

/**
 * A place where a disk is, or can be made. There is one implementation for each kind of place, and nobody else knows what is
 * behind it. Calls reject with the system's errors, which the caller puts into words, if nothing else is said.
 */
export interface DiskPlace {
  /** Its name, the same by whatever name it was found. A place inside another begins with that one's name and a `/`. */
  readonly where: string;
  /** Whether it is a folder of this machine, which a link can lead to. */
  readonly isFolder: boolean;

  /** The disk that should be there, whether or not it is. @param turns at the disk, if its calls have to take turns */
  open(identity: DiskIdentity, turns?: Turns): Disk;

  /** Whether nothing is there, as far as that can be told. Rejects only with OUT_OF_RESOURCES. */
  isMissing(): Promise<boolean>;

  /** Its name behind all links, also where it is still to be made. */
  realName(): Promise<string>;

  /**
   * Uses it as making a disk does, but changes nothing: so it shows whether it answers. What else is wrong is told when the disk
   * is made. Rejects only with OUT_OF_RESOURCES.
   */
  tryOut(): Promise<void>;

  /** The mark of the disk that is there, if one is. */
  mark(): Promise<DiskIdentity | undefined>;

  /** Whether a folder of the disk is missing or empty. */
  isEmpty(folder: string): Promise<boolean>;

  /**
   * A disk begins as nothing, as something empty, or as what `prepare` has left that did not come to its end.
   * @throws BAD_ROOT
   */
  checkFree(name: string, folders: readonly string[]): Promise<void>;

  /**
   * Makes a disk of an empty place, durably, and marks it; or goes on where a program died that was doing so. If that fails,
   * what was made is taken back. Resolves to what takes it back later. @throws BAD_ROOT where the place is not free any more
   */
  prepare(identity: DiskIdentity, folders: readonly string[]): Promise<() => Promise<void>>;

  /** Removes all that is in a folder of the disk, durably. */
  clear(folder: string): Promise<void>;
}

/**
 * Finds the place that a text means, as it stands in `store.json` or as a person gives it; undefined where it means no place of the
 * driver's kind.
 * @param base absolute path of the folder that a relative path begins at
 */
export type DiskDriver = (where: string, base: string) => DiskPlace | undefined;
