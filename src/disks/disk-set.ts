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

/**
 * - `member`: takes part in everything.
 * - `joining`: new or replaced. It takes writes, but its silence says nothing, until it has got every meta.
 * - `draining`: takes no more chunks, because it is to be removed.
 */
export type DiskRole = 'member' | 'joining' | 'draining';

/** W = ⌊n/2⌋+1. */
export function writeQuorumOf(disks: number): number {
  return Math.floor(disks / 2) + 1;
}

/** R = ⌈n/2⌉. */
export function readQuorumOf(disks: number): number {
  return Math.ceil(disks / 2);
}

/** All n disks of a store, in the store's order, with the quorums that make every read meet every acknowledged write. */
export class DiskSet {
  readonly disks: readonly Disk[];
  readonly #roles: ReadonlyMap<string, DiskRole>;

  /** @param roles of the disks that are not plain members, by name */
  constructor(disks: readonly Disk[], roles: ReadonlyMap<string, DiskRole> = new Map()) {
    this.disks = disks;
    this.#roles = roles;
  }

  /** W = ⌊n/2⌋+1: so many disks must hold a document durably before its write is acknowledged. */
  get writeQuorum(): number {
    return writeQuorumOf(this.disks.length);
  }

  /** R = ⌈n/2⌉: so many disks must answer a read. W + R > n. */
  get readQuorum(): number {
    return readQuorumOf(this.disks.length);
  }

  roleOf(disk: string): DiskRole {
    return this.#roles.get(disk) ?? 'member';
  }

  /**
   * Whether the disk counts among the R that answer a read. A joining disk does not: with j of them, at least W - j of the
   * disks that hold a document are others, and (W - j) + R is more than the n - j others, so they answer for it.
   */
  isVoter(disk: Disk): boolean {
    return this.disks.includes(disk) && this.roleOf(disk.name) !== 'joining';
  }

  /** How every disk is, in the store's order. */
  states(): Promise<DiskState[]> {
    return Promise.all(this.disks.map((disk) => disk.state()));
  }

  /** Looks at every disk's mark. */
  async look(): Promise<DiskView> {
    const states = await this.states();
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
    if (view.online.length < this.writeQuorum) throw this.#tooFew('TOO_FEW_DISKS_TO_WRITE', view);
    return view;
  }

  /**
   * Looks again, once a writer has its locks: it may have waited for them, or have written chunks, for hours. The disks
   * that have been there both times go on, and those that are new in the store. @throws TOO_FEW_DISKS_TO_WRITE
   */
  async narrow(view: DiskView): Promise<DiskView> {
    const now = await this.lookForWriting();
    const away = new Set(view.offline.map(({ disk }) => disk));
    const online = now.online.filter((disk) => view.online.includes(disk) || !away.has(disk.name));
    const offline = view.offline.filter(({ disk }) => this.disks.some(({ name }) => name === disk));
    const gone = now.offline.filter(({ disk }) => !away.has(disk));
    const narrowed = { online, offline: [...offline, ...gone] };
    if (online.length < this.writeQuorum) throw this.#tooFew('TOO_FEW_DISKS_TO_WRITE', narrowed);
    return narrowed;
  }

  /**
   * Whether the disks of a view know of all that was ever acknowledged: a new version must be newer than that. W members
   * always do; a disk that is joining may not. @throws TOO_FEW_DISKS_TO_WRITE
   */
  requireVoters(view: DiskView): void {
    if (this.#canRead(view.online, false)) return;
    const joining = view.online.filter((disk) => !this.isVoter(disk)).map(({ name }) => `"${name}"`);
    const found = view.online.length - joining.length;
    const lack = `${found} of those online have: ${joining.join(', ')} must join first ("store heal")`;
    const words = `a write needs ${this.readQuorum} disks that have all metas, and ${lack}`;
    throw new StoreError('TOO_FEW_DISKS_TO_WRITE', words, { expected: this.readQuorum, found });
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
    if (!this.#canRead(online, allowStale)) throw this.#tooFew('TOO_FEW_DISKS_TO_READ', { ...now, online });
  }

  /** The view for a read. @throws TOO_FEW_DISKS_TO_READ below the read quorum, unless `allowStale`. */
  async lookForReading(allowStale = false): Promise<DiskView> {
    const view = await this.look();
    if (!this.#canRead(view.online, allowStale)) throw this.#tooFew('TOO_FEW_DISKS_TO_READ', view);
    return view;
  }

  #canRead(online: readonly Disk[], allowStale: boolean): boolean {
    return online.filter((disk) => this.isVoter(disk)).length >= this.readQuorum || (allowStale && online.length > 0);
  }

  #tooFew(code: 'TOO_FEW_DISKS_TO_READ' | 'TOO_FEW_DISKS_TO_WRITE', { online, offline }: DiskView): StoreError {
    const isRead = code === 'TOO_FEW_DISKS_TO_READ';
    const [what, needed] = isRead ? ['read', this.readQuorum] : ['write', this.writeQuorum];
    const silent = isRead ? online.filter((disk) => !this.isVoter(disk)) : [];
    const joining = silent.map(({ name }) => `disk "${name}" is joining`);
    const found = online.length - silent.length;
    const reasons = [...joining, ...(offline.length === 0 ? [] : [describeOffline(offline)])].join(', ');
    const message = `${found} of ${this.disks.length} disks are online, a ${what} needs ${needed}: ${reasons}`;
    return new StoreError(code, message, { expected: needed, found });
  }
}

/** Offline disks in words: `disk "disk2" is missing (there is no such folder)`. */
export function describeOffline(offline: readonly OfflineDisk[]): string {
  return offline.map(({ disk, state }) => `disk "${disk}" is ${state.status} (${state.reason})`).join(', ');
}
