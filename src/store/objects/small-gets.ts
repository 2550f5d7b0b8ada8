import { readSmallChunks } from '../../chunks/read-small-chunks.ts';
import { Grouped } from '../../concurrency/grouped.ts';
import { isStoreError, must } from '../../errors.ts';
import { TargetFiles, type NewTarget } from '../../files/target-files.ts';
import type { ObjectMeta } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import type { StoreContext } from '../protocol/context.ts';
import { holdVersions } from '../protocol/hold-many.ts';
import { SMALL } from './puts.ts';

/** A small object as it was read, all of one version. `alone`: it has to go by itself. */
type SmallObject = { meta: ObjectMeta; bytes: Buffer } | 'alone';

/** Objects that are read in one go, and groups at work at once. */
const READ_TOGETHER = 128;
const READS_AT_ONCE = 1;

/** Bytes that are written in one go at most, where each file counts for what it costs in any case. */
const WRITE_TOGETHER = 16 * 1024 * 1024;
const LEAST_WEIGHT = 32 * 1024;

/** Reads small objects into files, many at once: what can be shared among them is. */
export class SmallGets {
  readonly #context: StoreContext;
  readonly #files = new TargetFiles();
  readonly #reads: Grouped<Address, SmallObject>;
  readonly #writes: Grouped<NewTarget, boolean>;

  constructor(context: StoreContext) {
    this.#context = context;
    this.#reads = new Grouped((addresses) => this.#read(addresses), {
      weigh: () => 1,
      most: READ_TOGETHER,
      atOnce: READS_AT_ONCE,
    });
    this.#writes = new Grouped((files) => this.#files.write(files), {
      weigh: ({ bytes }) => Math.max(bytes.length, LEAST_WEIGHT),
      most: WRITE_TOGETHER,
      atOnce: 1,
    });
  }

  /**
   * Reads an object into a file, whole and durable as by `getToFile`.
   * @param path absolute
   * @returns the object's meta. `alone`: it has to go by itself, because something about it is not as it mostly is; nothing is
   *   known against it, and nothing is left of it
   */
  async get(address: Address, path: string, signal: AbortSignal | undefined): Promise<ObjectMeta | 'alone'> {
    const object = await this.#reads.do(address);
    if (object === 'alone') return 'alone';
    const { meta, bytes } = object;
    return (await this.#writes.do({ path, bytes, signal })) ? meta : 'alone';
  }

  async #read(addresses: readonly Address[]): Promise<SmallObject[]> {
    try {
      const found = await this.#context.lookForReading();
      const session = await this.#context.locks.open('read');
      try {
        const { view, versions } = await holdVersions(this.#context, addresses, { session, view: found });
        const small = versions.map((version) =>
          (version?.meta.size ?? Infinity) <= SMALL ? version?.meta : undefined,
        );
        const contents = await readSmallChunks(view.online, small);
        return contents.map((bytes, index) =>
          bytes === undefined ? 'alone' : { meta: must(small[index], 'meta'), bytes },
        );
      } finally {
        await session.close();
      }
    } catch (error) {
      // Each by itself says what is wrong for it.
      if (isStoreError(error)) return addresses.map(() => 'alone');
      throw error;
    }
  }
}
