import type { Disk, DiskState } from '../../src/disks/disk.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';

/** A disk whose state a test says, and that counts how often it is asked for it. */
export class StubDisk extends MemoryDisk {
  looks = 0;
  answer: () => Promise<DiskState> = () => super.state();

  override state(): Promise<DiskState> {
    this.looks++;
    return this.answer();
  }

  /** Makes it go away. */
  leave(): void {
    this.answer = () => Promise.resolve({ status: 'missing', reason: 'it was taken away' });
  }

  /** Makes it come back. */
  comeBack(): void {
    this.answer = () => Promise.resolve({ status: 'online', reason: 'online' });
  }
}

/** `disk1` up to `disk<count>`. */
export function stubDisks(count: number): StubDisk[] {
  return Array.from({ length: count }, (_, index) => new StubDisk(`disk${index + 1}`));
}

export function namesOf(disks: readonly Disk[]): string[] {
  return disks.map(({ name }) => name);
}
