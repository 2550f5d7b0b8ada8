/** A process that dies in the midst of a commit. */
export interface HalfDeath {
  /** It dies when so many metas have been changed, by a rename or an unlink, and before it changes another one. */
  after: number;
  /** Only on these disks; those on others are held back. Without it, on whichever come first. */
  disks?: readonly string[];
}

/** What a worker can be told to do. */
export type Operation = StoreOperation | ProcessOperation;

/** What is about the process itself. */
export type ProcessOperation =
  /** Waits until the upload of this seed, sent before, has begun and is held back. */
  | { do: 'await hold'; seed: number }
  | { do: 'release'; seed: number }
  /** Sets the process's clock ahead, or back. */
  | { do: 'set clock'; milliseconds: number };

export type StoreOperation =
  /** `hold`: so many bytes go in, and the rest only after `release`. */
  | {
      do: 'put';
      bucket: string;
      key: string;
      seed: number;
      redundancy?: string;
      slow?: boolean;
      hold?: number;
      death?: HalfDeath;
    }
  | { do: 'delete'; bucket: string; key: string; death?: HalfDeath }
  | { do: 'get'; bucket: string; key: string }
  /** Bytes from `from`, as many as there are up to `count`. */
  | { do: 'range'; bucket: string; key: string; from: number; count: number }
  | { do: 'head'; bucket: string; key: string }
  | { do: 'list'; bucket: string; prefix?: string }
  | { do: 'verify'; quick: boolean }
  | { do: 'heal'; bucket?: string; dryRun?: boolean }
  | { do: 'gc' }
  | { do: 'usage' }
  | { do: 'add disk'; name: string; path: string }
  | { do: 'replace disk'; name: string }
  | { do: 'drain disk'; name: string }
  | { do: 'cancel drain'; name: string }
  | { do: 'remove disk'; name: string }
  | { do: 'rebalance' };

/** What came of it. */
export interface Outcome {
  /** Of the content that was read. */
  seed?: number;
  version?: string;
  /** Of a list: keys and the seeds of their contents. */
  listed?: [key: string, seed: number][];
  /** Of verify and heal. */
  health?: { objects: number; whole: number; degraded: number; lost: number; failed: string[]; problems: string[] };
  /** Of gc, or of the gc that ends a heal: what it found. */
  gc?: {
    leftoverChunks: number;
    stagedFiles: number;
    tombstones: number;
    settled: number;
    inUse: number;
    kept: string[];
    failed: string[];
  };
  /** Of usage: metas that disks lack, and of a drain or rebalance: what could not be moved. */
  stale?: number;
  failed?: string[];
  /** Of a put: whether some chunks or metas found no disk. */
  isWeak?: boolean;
  /** The code and the message of a `StoreError`. */
  error?: { code: string; message: string };
  /** What must never be. */
  problem?: string;
}

export function describeOperation({ do: what, ...details }: Operation): string {
  const rest = Object.entries(details).map(
    ([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  );
  return [what, ...rest].join(' ');
}

export function describeOutcome(outcome: Outcome): string {
  const text = JSON.stringify(outcome);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
