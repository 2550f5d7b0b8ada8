import type { ErrorCode } from '../../errors.ts';

export const EXIT = {
  done: 0,
  failed: 1,
  badInput: 2,
  notFound: 3,
  unavailable: 4,
  notWritable: 5,
  interrupted: 130,
} as const;

export const EXIT_CODES_HELP = `
Exit codes:
  0  done                     3  not found
  1  failed                   4  data damaged or unavailable
  2  usage or bad input       5  store not writable (too few disks, disk full)
  130  interrupted`;

interface Answer {
  exit: (typeof EXIT)[keyof typeof EXIT];
  /** What to do about it. */
  hint?: string;
}

/** For every error code, the exit code and, where there is one, what to do. */
export const ANSWERS: Record<ErrorCode, Answer> = {
  BAD_BUCKET_NAME: { exit: EXIT.badInput },
  BAD_KEY: { exit: EXIT.badInput },
  BAD_DISK_NAME: { exit: EXIT.badInput },
  BAD_RANGE: { exit: EXIT.badInput, hint: 'ranges are like 0-99, 100- or -100, both ends included' },
  BAD_REDUNDANCY: {
    exit: EXIT.badInput,
    hint: 'redundancy is k+m, such as 1+1 or 4+2: k chunks and m parity chunks a stripe, each on a disk of its own',
  },
  BAD_ROOT: { exit: EXIT.badInput, hint: 'name the store with --root <dir> or MINI_OBJECT_STORE_ROOT' },
  BAD_SOURCE: { exit: EXIT.badInput },
  BAD_TARGET: { exit: EXIT.badInput, hint: 'choose another place with -o <path>' },
  STORE_NOT_FOUND: {
    exit: EXIT.notFound,
    hint: 'the first upload makes a store; name one with --root <dir> or MINI_OBJECT_STORE_ROOT',
  },
  STORE_EXISTS: { exit: EXIT.failed },
  STORE_DAMAGED: { exit: EXIT.unavailable, hint: 'the README says how to get data back by hand' },
  UNKNOWN_FORMAT: { exit: EXIT.unavailable, hint: 'a newer version of this program wrote it' },
  NO_SUCH_BUCKET: { exit: EXIT.notFound, hint: '"store ls" lists the buckets' },
  NO_SUCH_KEY: { exit: EXIT.notFound, hint: '"store ls -r <bucket>" lists its objects' },
  NO_SUCH_DISK: { exit: EXIT.notFound, hint: '"store disk ls" lists the disks' },
  BUCKET_EXISTS: { exit: EXIT.failed },
  BUCKET_NOT_EMPTY: { exit: EXIT.failed, hint: '"store rm -r <bucket>" deletes its objects' },
  DISK_EXISTS: { exit: EXIT.failed },
  DISK_NEEDED: { exit: EXIT.notWritable },
  KEY_COLLISION: { exit: EXIT.failed, hint: 'choose a key that differs in more than case' },
  SOURCE_CHANGED: { exit: EXIT.failed, hint: 'upload it again when nobody is writing to it' },
  META_DAMAGED: {
    exit: EXIT.unavailable,
    hint: 'upload the object again; "store verify" shows what is left, the README how to get data back by hand',
  },
  CHUNK_DAMAGED: {
    exit: EXIT.unavailable,
    hint: 'upload the object again, or bring the chunk back from a backup; "store verify" tells what else is damaged',
  },
  CHUNK_UNAVAILABLE: {
    exit: EXIT.unavailable,
    hint: 'bring the disk back, or upload the object again; "store verify" tells what else is lost',
  },
  TOO_FEW_DISKS_TO_READ: {
    exit: EXIT.unavailable,
    hint:
      'bring disks back; if they are lost, "download", "store heal" and "store disk replace" take --allow-stale: ' +
      'what is left may be old',
  },
  TOO_FEW_DISKS_TO_WRITE: { exit: EXIT.notWritable, hint: 'bring disks back' },
  STORE_NOT_WRITABLE: { exit: EXIT.notWritable },
  DISK_FULL: {
    exit: EXIT.notWritable,
    hint: 'make room: delete objects, run "store gc", or add a disk with "store disk add"',
  },
  DISK_READ_ONLY: { exit: EXIT.notWritable },
  DISK_IO: { exit: EXIT.failed, hint: 'check the disk' },
  TARGET_IO: { exit: EXIT.failed },
  OUT_OF_RESOURCES: { exit: EXIT.failed, hint: 'allow more open files (ulimit -n), or give the command more memory' },
  ABORTED: { exit: EXIT.interrupted },
};
