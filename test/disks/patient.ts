import { patienceOf } from '../../src/concurrency/patience.ts';
import type { Disk } from '../../src/disks/disk.ts';
import { PatientDisk, type PatientDiskOptions } from '../../src/disks/patient-disk.ts';

const NOTHING_OWED = { hold: () => Promise.resolve(), isHeld: () => Promise.resolve(false) };

/** A disk that is waited for as a store of three disks does it, if nothing else is said. */
export function patient(disk: Disk, options: Partial<PatientDiskOptions> = {}): PatientDisk {
  return new PatientDisk(() => disk, { atOnce: () => 2, owed: NOTHING_OWED, patience: patienceOf(), ...options });
}
