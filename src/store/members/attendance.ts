import * as path from 'node:path';
import { CallGate, callsAtOnce } from '../../concurrency/call-gate.ts';
import type { Disk } from '../../disks/disk.ts';
import type { DiskPlace } from '../../disks/driver.ts';
import type { DiskIdentity } from '../../disks/identity.ts';
import { NO_ANSWER, patienceOf, type Patience, type Waiting } from '../../concurrency/patience.ts';
import { PatientDisk } from '../../disks/patient-disk.ts';
import { KernelLocks } from '../../locks/kernel-locks.ts';
import type { Locks } from '../../locks/locks.ts';
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
  /** So many disks may hang and the rest is still enough to read. */
  hanging = 0;
  readonly #atOnce = (): number => callsAtOnce(this.hanging);
  readonly #options: WaitOptions;
  readonly #owed: OwedLocks;
  /** By place and id: while a call of a disk hangs, nobody may hang one more thread on it. */
  readonly #disks = new Map<string, Disk>();
  /** Where calls to places wait, by their names. */
  readonly #gates = new Map<string, CallGate[]>();

  constructor(root: string, options: WaitOptions = {}, patience = patienceOf(options.patience)) {
    this.#options = options;
    this.patience = patience;
    const { onWait } = options;
    this.locks = new KernelLocks(
      path.join(root, LOCK_FILE),
      onWait === undefined ? undefined : { after: this.patience.notice, onWait },
    );
    this.#owed = new OwedLocks(this.locks);
  }

  /** A disk that is waited for with patience, and not for ever; the same one for whoever asks. */
  disk(place: DiskPlace, identity: DiskIdentity): Disk {
    const key = `${identity.id} ${place.where}`;
    const known = this.#disks.get(key);
    if (known !== undefined) return known;
    const { onWait, signal } = this.#options;
    const disk = new PatientDisk((turns) => this.around(place.open(identity, turns)), {
      atOnce: this.#atOnce,
      owed: this.#owed.of(identity.id),
      patience: this.patience,
      onWait,
      hurry: signal,
    });
    this.#disks.set(key, disk);
    this.#addGate(place.where, disk.gate);
    return disk;
  }

  /**
   * What a look at a place comes to, or `NO_ANSWER` where that takes too long, or where the place is, or is in, that of
   * a disk that is known to hang.
   * @param look at anything but the disk's own documents, which only the disk itself reads
   */
  async ask<T>(
    { where }: DiskPlace,
    look: () => Promise<T>,
    milliseconds = this.patience.look,
  ): Promise<T | typeof NO_ANSWER> {
    // All ways that lead there, the place's own last.
    const roots = [...this.#gates.keys()]
      .filter((root) => `${where}/`.startsWith(`${root}/`))
      .sort((a, b) => a.length - b.length);
    const ways = roots.flatMap((root) => this.#gates.get(root) ?? []);
    const gate =
      ways.find(({ isHanging }) => isHanging) ?? ways.at(-1) ?? this.#addGate(where, new CallGate(this.#atOnce));
    const { onWait, signal } = this.#options;
    const waiting: Waiting = {
      milliseconds,
      notice: this.patience.notice,
      onNotice: () => onWait?.(`waiting for "${where}", which does not answer`),
      hurry: signal,
    };
    const silence = new Error(`"${where}" does not answer`);
    return gate.pass<T | typeof NO_ANSWER>({ call: look, waiting, refusal: () => silence }).catch((error: unknown) => {
      if (error === silence) return NO_ANSWER;
      throw error;
    });
  }

  #addGate(where: string, gate: CallGate): CallGate {
    this.#gates.set(where, [...(this.#gates.get(where) ?? []), gate]);
    return gate;
  }

  /** For tests: what is put between the disk and the waiting for it. */
  protected around(disk: Disk): Disk {
    return disk;
  }
}
