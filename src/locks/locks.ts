/**
 * The contract of locks: names that processes, and operations inside one process, hold shared or exclusively.
 *
 * A lock lives exactly as long as its session: when the process dies, kill -9 included, it is free. So what nobody
 * locks is dead, and nobody has to guess from a process id, a heartbeat or a file's age.
 */
export interface Locks {
  /** Opens a session. `write` sessions may lock exclusively. */
  open(access: LockAccess): Promise<LockSession>;
}

export type LockAccess = 'read' | 'write';
export type LockMode = 'shared' | 'exclusive';

export interface LockSession {
  /** False where locks can't be had because the store is read-only and has never been written to. */
  readonly effective: boolean;
  /** Takes the lock now, or tells that somebody holds it. A session that has it in the other mode changes modes. */
  tryLock(name: string, mode: LockMode): boolean;
  /** Waits for the lock. @throws ABORTED when `signal` is aborted first. */
  lock(name: string, mode: LockMode, signal?: AbortSignal): Promise<void>;
  /** The same for at most so many milliseconds; tells whether it has the lock. */
  lockWithin(milliseconds: number, name: string, mode: LockMode, signal?: AbortSignal): Promise<boolean>;
  unlock(name: string): void;
  /**
   * Takes one lock of a group, of which any number can be held at once, or tells that somebody looks at the group at this
   * moment. Needs a `write` session.
   */
  tryOne(group: string): boolean;
  /** Whether another session holds a lock of the group. Those who look don't see one another. */
  isAnyHeld(group: string): boolean;
  /** Leaves a mark that every later `stamp`, of any session, differs by. Never rejects: it is left on the way out of a failure. */
  mark(): Promise<void>;
  /** Tells by comparison whether a mark has been left since. */
  stamp(): Promise<string>;
  /**
   * Replaces the note that all sessions share by what `change` makes of it; the caller holds a lock, so that no other change
   * comes between. It outlives processes, but not the machine's power: then, as at first, it is empty.
   * @throws STORE_NOT_WRITABLE where an old note could be left behind
   */
  updateNote(change: (note: string) => string): Promise<void>;
  /** False once the locks' own file has been removed or replaced: then others lock elsewhere. */
  isCurrent(): Promise<boolean>;
  /** Frees everything that the session holds. */
  close(): Promise<void>;
}

/** Names of locks, in one place, because two operations that mean the same thing must say the same name. */
export const lockName = {
  /** Exclusive: making the store. */
  store: (): string => 'store',
  /** Shared: a commit. Exclusive: changing which disks the store has. */
  disks: (): string => 'disks',
  /** Held for a moment on the way to `disks`, so that a change of the disks is not kept waiting by newcomers. */
  disksGate: (): string => 'disks gate',
  /** Shared: a commit in the bucket. Exclusive: creating or deleting the bucket. */
  bucket: (bucket: string): string => `bucket ${bucket}`,
  /** Exclusive: a commit of the key. */
  key: (bucket: string, key: string): string => `key ${bucket}/${key}`,
  /** Exclusive: minting a version. */
  clock: (): string => 'clock',
  /** Exclusive: mending an object version's chunks, or moving them to other disks. */
  mend: (version: string): string => `mend ${version}`,
  /** Exclusive, for a moment: giving another name to what stands in the way of the store's files. Its holder takes no other. */
  setAside: (): string => 'set aside',
  /** Shared: whoever writes, reads or mends the chunks with the upload's id, or replaces what refers to them. Exclusive: removing them. */
  upload: (id: string): string => `upload ${id}`,
  /** A group: one for each call that changes the disk and was given up, until it has returned. */
  owed: (disk: string): string => `owed ${disk}`,
};

/** What a caller that waits for a lock waits for, in words. */
export function describeWait(lock: string, mode: LockMode): string {
  const [kind = '', ...rest] = lock.split(' ');
  const name = rest.join(' ');
  const isAlone = mode === 'exclusive';
  const what: Partial<Record<string, string>> = {
    store: 'another command that makes the store',
    disks: isAlone ? 'other commands that write' : 'another command that changes the disks',
    bucket: `${isAlone ? 'other commands that write to' : 'another command that makes or deletes'} bucket ${name}`,
    key: `another command that changes ${name}`,
    clock: 'another command that stores something',
    mend: 'another command that mends or moves the same object',
  };
  return `waiting for ${what[kind] ?? 'another command'}`;
}
