import type { Turns } from '../../src/concurrency/call-gate.ts';
import { FaultyDisk } from '../support/faulty-disk.ts';
import { LocalDisk } from '../../src/disks/local/local-disk.ts';
import { patienceOf } from '../../src/concurrency/patience.ts';
import { PatientDisk } from '../../src/disks/patient-disk.ts';
import { describeDisk } from '../contract/disk-contract.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { identityOf, makeDisk } from './make-disks.ts';

describeDisk('LocalDisk', () => makeDisk().disk);
describeDisk('FaultyDisk around a LocalDisk, nothing planned', () => new FaultyDisk(makeDisk().disk, []));
describeDisk('PatientDisk around a LocalDisk, one call at a time', () => {
  const owed = { hold: () => Promise.resolve(), isHeld: () => Promise.resolve(false) };
  const { root } = makeDisk();
  const open = (turns: Turns): LocalDisk => new LocalDisk(root, identityOf(1), turns);
  return new PatientDisk(open, { atOnce: () => 1, owed, patience: patienceOf() });
});
describeDisk('MemoryDisk, which has no folders', () => new MemoryDisk('memory1'), { hasFolders: false });
