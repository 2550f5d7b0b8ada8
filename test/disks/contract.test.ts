import { FaultyDisk } from '../../src/disks/faulty-disk.ts';
import { describeDisk } from '../contract/disk-contract.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { makeDisk } from './make-disks.ts';

describeDisk('LocalDisk', () => makeDisk().disk);
describeDisk('FaultyDisk around a LocalDisk, nothing planned', () => new FaultyDisk(makeDisk().disk, []));
describeDisk('MemoryDisk, which has no folders', () => new MemoryDisk('memory1'));
