import { StoreError } from '../errors.ts';
import type { Disk, DiskState } from './disk.ts';

/** A disk that does not take part in an operation, and why. */
export interface OfflineDisk {
  disk: string;
  state: DiskState;
}

/** The disks that an operation works with: looked at once, at its beginning. */
export interface DiskView {
  online: Disk[];
  offline: OfflineDisk[];
}

/** All n disks of a store, in the store's order, with the quorums that make every read meet every acknowledged write. */
export class DiskSet {
  readonly disks: readonly Disk[];

  constructor(disks: readonly Disk[]) {
    this.disks = disks;
  }

  /** W = ⌊n/2⌋+1: so many disks must hold a document durably before its write is acknowledged. */
  get writeQuorum(): number {
    return Math.floor(this.disks.length / 2) + 1;
  }

  /** R = ⌈n/2⌉: so many disks must answer a read. W + R > n. */
  get readQuorum(): number {
    return Math.ceil(this.disks.length / 2);
  }

  /** Looks at every disk's mark. */
  async look(): Promise<DiskView> {
    const states = await Promise.all(this.disks.map((disk) => disk.state()));
    const view: DiskView = { online: [], offline: [] };
    this.disks.forEach((disk, index) => {
      const state = states[index];
      if (state?.status === 'online') view.online.push(disk);
      else if (state !== undefined) view.offline.push({ disk: disk.name, state });
    });
    return view;
  }

  /** The view for a write. @throws TOO_FEW_DISKS_TO_WRITE below the write quorum. */
  async lookForWriting(): Promise<DiskView> {
    const view = await this.look();
    if (view.online.length < this.writeQuorum) {
      throw this.#tooFew('TOO_FEW_DISKS_TO_WRITE', view);
    }
    return view;
  }

  /**
   * Looks again, once a writer has its locks: it may have waited for them, or have written chunks, for hours. The disks
   * that have been there both times go on. @throws TOO_FEW_DISKS_TO_WRITE
   */
  async narrow(view: DiskView): Promise<DiskView> {
    const now = await this.lookForWriting();
    const online = view.online.filter((disk) => now.online.includes(disk));
    const gone = now.offline.filter(({ disk }) => view.online.some(({ name }) => name === disk));
    const narrowed = { online, offline: [...view.offline, ...gone] };
    if (online.length < this.writeQuorum) throw this.#tooFew('TOO_FEW_DISKS_TO_WRITE', narrowed);
    return narrowed;
  }

  /** Whether all n disks are there at this moment. */
  async areAllOnline(): Promise<boolean> {
    return (await this.look()).offline.length === 0;
  }

  /**
   * Looks once more after a read that found nothing: a disk that has gone meanwhile reads as if it were empty.
   * @throws TOO_FEW_DISKS_TO_READ where fewer than R disks of the view have been there all the while
   */
  async confirm(view: DiskView, allowStale = false): Promise<void> {
    const now = await this.lookForReading(allowStale);
    const online = view.online.filter((disk) => now.online.includes(disk));
    if (online.length < this.readQuorum && !(allowStale && online.length > 0)) throw this.#tooFew('TOO_FEW_DISKS_TO_READ', { ...now, online });
  }

  #tooFew(code: 'TOO_FEW_DISKS_TO_READ' | 'TOO_FEW_DISKS_TO_WRITE', { online, offline }: DiskView): StoreError {
    const [what, needed] = code === 'TOO_FEW_DISKS_TO_READ' ? ['read', this.readQuorum] : ['write', this.writeQuorum];
    return new StoreError(
      code,
      `${String(online.length)} of ${String(this.disks.length)} disks are online, a ${what} needs ${String(needed)}: ${describeOffline(offline)}`,
      { expected: needed, found: online.length },
    );
  }

  /** The view for a read. @throws TOO_FEW_DISKS_TO_READ below the read quorum, unless `allowStale`. */
  async lookForReading(allowStale = false): Promise<DiskView> {
    const view = await this.look();
    if (view.online.length < this.readQuorum && !(allowStale && view.online.length > 0)) {
      throw this.#tooFew('TOO_FEW_DISKS_TO_READ', view);
    }
    return view;
  }
}

/** Offline disks in words: `disk "disk2" is missing (there is no such folder)`. */
export function describeOffline(offline: OfflineDisk[]): string {
  return offline.map(({ disk, state }) => `disk "${disk}" is ${state.status} (${state.reason})`).join(', ');
}
