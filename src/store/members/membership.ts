import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiskSet, readQuorumOf, type DiskRole } from '../../disks/disk-set.ts';
import type { Disk } from '../../disks/disk.ts';
import { placeAt } from '../../disks/drivers.ts';
import { errnoOf, isStoreError, reasonOf, StoreError, throwIfShort } from '../../errors.ts';
import { except, lstat, rename, syncFolderNow, WRITE_FLAGS, writeNewFile } from '../../files/calls.ts';
import { readText } from '../../files/read-file.ts';
import { lockName, type Locks, type LockSession } from '../../locks/locks.ts';
import { Attendance } from './attendance.ts';
import { formatStoreDocument, parseStoreDocument, STORE_FILE, type StoreDocument } from './store-document.ts';

/** The next `store.json` before it takes its place; one that is left by a program that died is written over. */
const NEXT_FILE = '.store.json.next';

/**
 * The store's `store.json` and the disks that it names, kept up to date: another process may add or remove disks.
 *
 * Every commit holds the lock `disks` shared and looks at `store.json` under it; who changes the document holds it alone.
 * So no commit counts its quorum among disks that are no longer the store's.
 */
export class Membership {
  readonly root: string;
  /** How the disks, and other commands, are waited for. */
  readonly attendance: Attendance;
  #document: StoreDocument;
  #disks: DiskSet;
  #stamp: string;
  /** The stamp of a document whose name is known to be durable. */
  #durable: string | undefined;
  /** Counts how often the document has been set. */
  #changes = 0;

  private constructor(root: string, document: StoreDocument, stamp: string, attendance: Attendance) {
    this.root = root;
    this.attendance = attendance;
    this.#document = document;
    this.#stamp = stamp;
    this.#disks = this.#makeSet();
  }

  /** The members of the store in `root`, or undefined where there is no store. @throws BAD_ROOT, STORE_DAMAGED, UNKNOWN_FORMAT */
  static async open(root: string, attendance = new Attendance(root)): Promise<Membership | undefined> {
    const found = await readStoreDocument(root);
    return found === undefined ? undefined : new Membership(root, found.document, found.stamp, attendance);
  }

  get document(): StoreDocument {
    return this.#document;
  }

  get disks(): DiskSet {
    return this.#disks;
  }

  /** Names of the disks that chunks may be put on, those that are away included. */
  get belong(): string[] {
    return this.#document.disks.flatMap(({ name, role }) => (role === 'draining' ? [] : [name]));
  }

  /** Whether chunks may be put on this very disk, and not on one of its name that has been replaced since. */
  takesChunks(disk: Disk): boolean {
    return this.disks.disks.includes(disk) && this.disks.roleOf(disk.name) !== 'draining';
  }

  /** Looks whether `store.json` has changed. Disks that stay keep their objects. @throws STORE_NOT_FOUND, STORE_DAMAGED, … */
  async refresh(): Promise<void> {
    const changes = this.#changes;
    const stamp = await stampOf(path.join(this.root, STORE_FILE)).catch(() => undefined);
    if (stamp === this.#stamp) return;
    const found = await readStoreDocument(this.root);
    // Somebody else has looked, or changed it, since: what was read here may be older.
    if (changes !== this.#changes) return this.refresh();
    if (found === undefined)
      throw new StoreError('STORE_NOT_FOUND', `there is no store in "${this.root}" any more`, { path: this.root });
    this.#set(found.document, found.stamp);
  }

  /**
   * Makes sure that the document is what a loss of power leaves: who wrote it may have died before it was durable. A commit
   * counts its quorum among its disks. @throws STORE_NOT_WRITABLE
   */
  async makeDurable(): Promise<void> {
    const stamp = this.#stamp;
    if (this.#durable === stamp) return;
    try {
      await syncFolderNow(this.root);
    } catch (error) {
      const message = `the store cannot be written to: cannot sync "${this.root}": ${reasonOf(error)}`;
      throw new StoreError('STORE_NOT_WRITABLE', message, { path: this.root }, error);
    }
    this.#durable = stamp;
  }

  /**
   * Changes the document while nobody commits anything, and makes the change durable.
   * @param work gets the document as it is now; what it returns takes its place, nothing changes where that is undefined
   * @param onChanged called as soon as the new document has taken its place, whatever happens to it then
   */
  async change<T extends StoreDocument | undefined>(
    locks: Locks,
    signal: AbortSignal | undefined,
    work: (document: StoreDocument) => Promise<T>,
    onChanged: () => void = () => undefined,
  ): Promise<T> {
    const session = await locks.open('write');
    try {
      await this.#lockAlone(session, signal);
      await this.refresh();
      await this.makeDurable();
      const next = await work(this.#document);
      if (next !== undefined) await this.#write(next, onChanged);
      return next;
    } finally {
      await session.close();
    }
  }

  /** Keeps the store's disks as they are, until the session is closed: a commit counts its quorum among them. */
  async hold(session: LockSession, durable: boolean, signal: AbortSignal | undefined): Promise<void> {
    // The gate is a courtesy: who was stopped in it keeps nobody for ever.
    const patience = 1.5 * this.attendance.patience.gate;
    const isInGate = await session.lockWithin(patience, lockName.disksGate(), 'shared', signal);
    await session.lock(lockName.disks(), 'shared', signal);
    if (isInGate) session.unlock(lockName.disksGate());
    await this.refresh();
    if (durable) await this.makeDurable();
  }

  /**
   * Who comes now waits at the gate, so that the last of those who are inside leaves one day. But not for long: one of
   * them may wait for a disk, or have been stopped. Then the others go on for a while, before it is tried again.
   */
  async #lockAlone(session: LockSession, signal: AbortSignal | undefined): Promise<void> {
    const { gate } = this.attendance.patience;
    for (;;) {
      await session.lock(lockName.disksGate(), 'exclusive', signal);
      if (await session.lockWithin(gate, lockName.disks(), 'exclusive', signal)) return;
      session.unlock(lockName.disksGate());
      await sleep(gate / 10);
    }
  }

  async #write(document: StoreDocument, onChanged: () => void): Promise<void> {
    const file = path.join(this.root, STORE_FILE);
    const staged = path.join(this.root, NEXT_FILE);
    const bytes = Buffer.from(formatStoreDocument(document));
    // What can't be read back must never take the place of what can.
    parseStoreDocument(bytes.toString('utf8'), file);
    try {
      await writeNewFile(staged, WRITE_FLAGS.replace, bytes, true);
      await rename(staged, file);
      onChanged();
      await syncFolderNow(this.root);
    } catch (error) {
      throwIfShort(error, `cannot write ${file}`);
      throw new StoreError('STORE_NOT_WRITABLE', `cannot write ${file}: ${reasonOf(error)}`, { path: file }, error);
    }
    this.#set(document, await stampOf(file));
    this.#durable = this.#stamp;
  }

  #set(document: StoreDocument, stamp: string): void {
    this.#changes++;
    this.#document = document;
    this.#stamp = stamp;
    this.#disks = this.#makeSet();
  }

  #makeSet(): DiskSet {
    const { id: storeId, disks } = this.#document;
    this.attendance.hanging = disks.length - readQuorumOf(disks.length);
    const roles = disks.flatMap(({ name, role }) => (role === undefined ? [] : [[name, role] as const]));
    const members = disks.map(({ name, id, path: where }) =>
      this.attendance.disk(placeAt(where, this.root), { storeId, name, id }),
    );
    return new DiskSet(members, new Map<string, DiskRole>(roles));
  }
}

async function stampOf(file: string): Promise<string> {
  const { ino, size, mtimeMs, ctimeMs } = await lstat(file);
  return [ino, size, mtimeMs, ctimeMs].join(':');
}

/** The document and a stamp that is not newer than it. */
async function readStoreDocument(root: string): Promise<{ document: StoreDocument; stamp: string } | undefined> {
  const file = path.join(root, STORE_FILE);
  try {
    const stamp = await except(stampOf(file), 'ENOENT');
    if (stamp === undefined) return undefined;
    return { document: parseStoreDocument(await readText(file), file), stamp };
  } catch (error) {
    if (isStoreError(error)) throw error;
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return undefined;
    throwIfShort(error, `cannot read ${file}`);
    const details = { path: root, errno };
    if (errno === 'ENOTDIR') throw new StoreError('BAD_ROOT', `"${root}" is not a folder`, details, error);
    throw new StoreError('STORE_DAMAGED', `cannot read ${file}: ${reasonOf(error)}`, details, error);
  }
}
