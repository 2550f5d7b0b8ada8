import * as path from 'node:path';
import { ReadGates } from '../chunks/read-gates.ts';
import { SlowDisks } from '../chunks/slow-disks.ts';
import { CallGate, callsAtOnce } from '../disks/call-gate.ts';
import type { Disk } from '../disks/disk.ts';
import type { DiskIdentity } from '../disks/identity.ts';
import { LocalDisk } from '../disks/local-disk.ts';
import { answerWithin, NO_ANSWER, patienceOf, type Patience } from '../disks/patience.ts';
import { PatientDisk } from '../disks/patient-disk.ts';
import { KernelLocks } from '../locks/kernel-locks.ts';
import type { Locks } from '../locks/locks.ts';
import { OwedLocks } from './owed-locks.ts';

/** The store's lock file. */
export const LOCK_FILE = '.lock';

export interface WaitOptions {
  /** A disk that has not answered after so many milliseconds counts as hanging; 5,000 if not given. Reads and writes of chunks have six times as long. */
  patience?: number | undefined;
  /** Called with what is waited for, in words, when that has taken more than half of the patience. */
  onWait?: ((what: string) => void) | undefined;
  /** Once aborted, disks that do not answer are given up soon. */
  signal?: AbortSignal | undefined;
}

/** How a store waits, for its disks and for other commands: once for all operations of it. */
export class Attendance {
  readonly patience: Patience;
  readonly locks: Locks;
  /** Disks that have kept readers waiting. */
  readonly slow = new SlowDisks();
  /** So many disks may hang and the rest is still enough to read. */
  hanging = 0;
  readonly #options: WaitOptions;
  readonly #owed: OwedLocks;
  #readGates: [hanging: number, gates: ReadGates] | undefined;

  constructor(root: string, options: WaitOptions = {}, patience = patienceOf(options.patience)) {
    this.#options = options;
    this.patience = patience;
    const { onWait } = options;
    this.locks = new KernelLocks(path.join(root, LOCK_FILE), onWait === undefined ? undefined : { after: this.patience.notice, onWait });
    this.#owed = new OwedLocks(this.locks);
  }

  /** Where readers wait for their turn at a disk without keeping memory for what they are going to read. */
  get readGates(): ReadGates {
    if (this.#readGates?.[0] !== this.hanging) this.#readGates = [this.hanging, new ReadGates(this.hanging)];
    return this.#readGates[1];
  }

  /** A disk that is waited for with patience, and not for ever. @param root absolute path of its folder */
  disk(root: string, identity: DiskIdentity): Disk {
    const gate = new CallGate(() => callsAtOnce(this.hanging));
    const { onWait, signal } = this.#options;
    const disk = this.around(new LocalDisk(root, identity, gate));
    return new PatientDisk(disk, { gate, owed: this.#owed.of(identity.id), patience: this.patience, onWait, hurry: signal });
  }

  /** What a look at a disk comes to, or `otherwise` where the disk does not answer. */
  async wait<T>(look: Promise<T>, otherwise: T): Promise<T> {
    const outcome = await answerWithin(look, { milliseconds: this.patience.look, notice: this.patience.notice, onNotice: () => undefined, hurry: this.#options.signal });
    return outcome === NO_ANSWER ? otherwise : outcome;
  }

  /** For tests: what is put between the disk and the waiting for it. */
  protected around(disk: Disk): Disk {
    return disk;
  }
}
