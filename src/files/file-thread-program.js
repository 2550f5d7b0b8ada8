/**
 * What a file thread runs: small work on files, with calls that block. Plain JavaScript, because a thread must start fast and
 * alike from the sources, from a build and in tests; it may import nothing of the house.
 */
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { parentPort } from 'node:worker_threads';

/** @import { Failed, Looked, Reply, Request } from './file-thread.ts' */

// Most errors are no more than answers.
Error.stackTraceLimit = 0;

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = fs.constants;

/** Neither waits for the other end of a FIFO nor follows a link. */
const FILE_ONLY = O_NOFOLLOW | O_NONBLOCK;

/** Files of as many bytes or more are not read here. */
const scratch = Buffer.allocUnsafeSlow(256 * 1024);

/**
 * Syncs that failed: none is ever tried again.
 * @type {WeakSet<Error>}
 */
const failedSyncs = new WeakSet();

/** The bytes that the jobs of a request have read. */
class Gathered {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024);
  #length = 0;

  /** @param {number} count of the bytes at the beginning of `scratch` */
  add(count) {
    if (this.#length + count > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * (this.#length + count));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    scratch.copy(this.#bytes, this.#length, 0, count);
    this.#length += count;
    return { from: this.#length - count, to: this.#length };
  }

  get buffer() {
    return /** @type {ArrayBuffer} */ (this.#bytes.buffer);
  }
}

/** One request's jobs: done in order, each up to its first step that fails. */
class Work {
  /** @type {string} */
  #root;
  /** @type {number | undefined} */
  #device;
  /** @type {Uint8Array} */
  #given;
  /** The steps, word by word, with an empty one at the end of each job. */
  #words;
  /** Number of the next word. */
  #next = 0;
  #gathered = new Gathered();
  /** Folders that have been found to be folders, by this request. */
  #folders = new Set();
  /** Where what each job has read is, from and to; less than 0 where it has read nothing. */
  #places;
  /** @type {Looked[]} */
  #looked = [];
  /** @type {Failed[]} */
  #failed = [];

  /** @param {Request} request */
  constructor({ root, bytes, device, steps, count }) {
    this.#root = root;
    this.#device = device;
    this.#given = new Uint8Array(bytes);
    this.#words = steps.split('\0');
    this.#places = new Int32Array(2 * count).fill(-1);
  }

  /** @returns {Omit<Reply, 'id'>} */
  run() {
    for (let job = 0; 2 * job < this.#places.length; job++) this.#do(job);
    const { buffer: bytes } = this.#gathered;
    return { bytes, places: this.#places, looked: this.#looked, failed: this.#failed };
  }

  #word() {
    return this.#words[this.#next++] ?? '';
  }

  /** @param {number} job its number */
  #do(job) {
    try {
      for (let what = this.#word(); what !== ''; what = this.#word()) this.#step(job, what, this.#word());
    } catch (error) {
      while (this.#word() !== '');
      const message = error instanceof Error ? error.message : String(error);
      const isUnsynced = error instanceof Error && failedSyncs.has(error);
      this.#failed.push({ job, errno: codeOf(error) ?? 'EIO', message, isUnsynced });
    }
  }

  /**
   * @param {number} job
   * @param {string} what
   * @param {string} path
   */
  #step(job, what, path) {
    switch (what) {
      case 'read':
        this.#place(
          job,
          this.#ifThere(path, (full) => this.#read(full)),
        );
        break;
      case 'read-source':
        this.#place(job, this.#readSource(path));
        break;
      case 'stat': {
        const stats = this.#ifThere(path, (full) => fs.lstatSync(full));
        if (stats !== undefined) this.#looked.push({ job, stat: pick(stats) });
        break;
      }
      case 'write':
        this.#write(path, Number(this.#word()), Number(this.#word()), this.#word().split(' '));
        break;
      case 'make-folder':
        this.#makeFolder(path);
        break;
      case 'remove-folder':
        this.#checkWay(path);
        fs.rmdirSync(this.#full(path));
        this.#folders.delete(this.#full(path));
        break;
      case 'rename': {
        const to = this.#word();
        this.#checkWay(to);
        fs.renameSync(this.#full(path), this.#full(to));
        break;
      }
      case 'unlink':
        // The disk may have been away for a moment: only what is not there while the disk is counts as gone.
        if (!this.#unlink(path)) this.#unlink(path);
        break;
      case 'sync-folder':
        this.#checkFolder(this.#full(path));
        this.#syncFolder(path);
        break;
      default:
        throw failure('EINVAL', what);
    }
  }

  /**
   * @param {number} job
   * @param {{ from: number, to: number } | undefined} place
   */
  #place(job, place) {
    if (place !== undefined) this.#places.set([place.from, place.to], 2 * job);
  }

  /** @param {string} path */
  #full(path) {
    return this.#root === '' ? path : `${this.#root}/${path}`;
  }

  /**
   * A link in the way to a file would lead to somebody else's.
   * @param {string} path
   */
  #checkWay(path) {
    this.#checkFolder(dirname(this.#full(path)));
  }

  /** @param {string} folder with its root, which may be a link */
  #checkFolder(folder) {
    if (this.#root === '' || this.#folders.has(folder)) return;
    if (folder !== this.#root) this.#checkFolder(dirname(folder));
    const stats = folder === this.#root ? fs.statSync(folder) : fs.lstatSync(folder);
    if (!stats.isDirectory()) throw failure('ENOTDIR', 'not a folder');
    if (this.#device !== undefined && stats.dev !== this.#device) throw failure('EXDEV', 'another file system');
    this.#folders.add(folder);
  }

  /**
   * What a look at a path finds, or nothing where there is nothing while the disk is there: the folder of the disk that it
   * would be in is.
   * @template T
   * @param {string} path
   * @param {(full: string) => T} look
   * @returns {T | undefined}
   */
  #ifThere(path, look) {
    try {
      this.#checkWay(path);
      return look(this.#full(path));
    } catch (error) {
      const [outermost = '', ...rest] = path.split('/');
      if (codeOf(error) !== 'ENOENT' || rest.length === 0) throw error;
      if (!fs.lstatSync(this.#full(outermost)).isDirectory()) throw error;
      return undefined;
    }
  }

  /**
   * @param {string} path
   * @returns whether there was something to remove
   */
  #unlink(path) {
    const isRemoved = this.#ifThere(path, (full) => {
      fs.unlinkSync(full);
      return true;
    });
    return isRemoved === true;
  }

  /** @param {string} path */
  #makeFolder(path) {
    const folder = this.#full(path);
    if (this.#folders.has(folder)) return;
    this.#checkFolder(dirname(folder));
    try {
      fs.mkdirSync(folder);
      this.#folders.add(folder);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      this.#checkFolder(folder);
    }
  }

  /** @param {string} full */
  #read(full) {
    const fd = fs.openSync(full, O_RDONLY | FILE_ONLY);
    try {
      const count = fs.readSync(fd, scratch, 0, scratch.length, 0);
      // What gives nothing may be no file, and what fills the memory goes on.
      if (count === 0 || count === scratch.length) throw failure('EFBIG', 'not here');
      return this.#gathered.add(count);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** @param {string} path */
  #readSource(path) {
    const fd = fs.openSync(path, O_RDONLY | O_NONBLOCK);
    try {
      const before = fs.fstatSync(fd);
      if (!before.isFile()) throw failure('ENOTSUP', 'not a file');
      const count = fs.readSync(fd, scratch, 0, scratch.length, 0);
      const after = fs.fstatSync(fd);
      if (after.size !== count || before.size !== count || after.mtimeMs !== before.mtimeMs)
        throw failure('EFBIG', 'not here');
      return this.#gathered.add(count);
    } finally {
      fs.closeSync(fd);
    }
  }

  /**
   * @param {string} path
   * @param {number} from
   * @param {number} to
   * @param {readonly string[]} how
   */
  #write(path, from, to, how) {
    this.#checkWay(path);
    const flags = O_WRONLY | O_CREAT | (how.includes('new') ? O_EXCL : O_TRUNC | FILE_ONLY);
    const full = this.#full(path);
    const fd = fs.openSync(full, flags, 0o666);
    try {
      try {
        // At its place in the file, which what is no file does not have.
        for (let at = from; at < to;) at += fs.writeSync(fd, this.#given, at, to - at, at - from);
        if (how.includes('sync')) fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    } catch (error) {
      fs.unlinkSync(full);
      throw error;
    }
  }

  /** @param {string} path */
  #syncFolder(path) {
    const fd = fs.openSync(this.#full(path), O_RDONLY | O_DIRECTORY);
    try {
      fs.fsyncSync(fd);
    } catch (error) {
      if (error instanceof Error) failedSyncs.add(error);
      throw error;
    } finally {
      fs.closeSync(fd);
    }
  }
}

/** @param {fs.Stats} stats */
function pick(stats) {
  const { dev, ino, size, mtimeMs, ctimeMs } = stats;
  return { dev, ino, size, mtimeMs, ctimeMs, isFile: stats.isFile() };
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/**
 * @param {string} code
 * @param {string} reason
 */
function failure(code, reason) {
  return Object.assign(new Error(`${code}: ${reason}`), { code });
}

parentPort?.on('message', (/** @type {Request} */ request) => {
  const reply = { id: request.id, ...new Work(request).run() };
  parentPort?.postMessage(reply, [reply.bytes]);
});
