import { openSource, type ChunkSource, type PutSource } from '../../chunks/source.ts';
import { GroupedByName } from '../../concurrency/grouped-by-name.ts';
import { checkBucketName, checkKey, type Address } from '../../metadata/names.ts';
import { parseRedundancy } from '../../metadata/redundancy.ts';
import type { StoreContext } from '../protocol/context.ts';
import { LEAST } from './many.ts';
import { put, upload, type PutOptions, type PutResult } from './put.ts';
import { putSmall, type SmallOutcome, type SmallPut } from './small-puts.ts';

/** Bytes of an object that is stored together with others, at most. Larger ones are cut, hashed and written by themselves. */
export const SMALL = 128 * 1024;

/** Bytes of a group at most, where each object counts for what its files cost in any case; and groups at work at once. */
const GROUP = 16 * 1024 * 1024;
const LEAST_WEIGHT = 32 * 1024;
const AT_ONCE = 2;

/** All puts of a store: small objects that are put at the same time are stored in groups. */
export class Puts {
  readonly #context: StoreContext;
  readonly #groups: GroupedByName<SmallPut, SmallOutcome>;

  constructor(context: StoreContext) {
    this.#context = context;
    this.#groups = new GroupedByName((puts) => this.#store(puts), { weigh, most: GROUP, atOnce: AT_ONCE });
  }

  /** Stores an object in one step, by itself or together with others. Rejects as `put` does. */
  async put(address: Address, source: PutSource, options: PutOptions): Promise<PutResult> {
    checkBucketName(address.bucket);
    checkKey(address.key);
    if (options.redundancy !== undefined) parseRedundancy(options.redundancy);
    // A copy: until its group's turn comes the caller may use its memory for something else.
    if (source instanceof Uint8Array && source.length <= SMALL)
      return this.#putSmall({ ...address, bytes: Buffer.from(source), options });
    const input = await openSource(source, options.signal);
    let bytes: Uint8Array;
    try {
      if (input.size === undefined || input.size > SMALL) return await upload(this.#context, address, input, options);
      bytes = await readWhole(input, input.size);
    } finally {
      await input.close();
    }
    return this.#putSmall({ ...address, bytes, options });
  }

  async #putSmall(small: SmallPut): Promise<PutResult> {
    // Those of one bucket go together, if they are to be equally durable.
    const name = `${small.options.durability ?? this.#context.durability} ${small.bucket}`;
    const outcome = await this.#groups.do(name, small);
    if (outcome === 'alone') return put(this.#context, small, small.bytes, small.options);
    if ('error' in outcome) throw outcome.error;
    return outcome.result;
  }

  async #store(puts: readonly SmallPut[]): Promise<readonly SmallOutcome[]> {
    return puts.length < LEAST ? puts.map(() => 'alone') : putSmall(this.#context, puts);
  }
}

function weigh({ bytes }: SmallPut): number {
  return Math.max(bytes.length, LEAST_WEIGHT);
}

/** @throws the source's errors, SOURCE_CHANGED */
async function readWhole(input: ChunkSource, size: number): Promise<Uint8Array> {
  const bytes = await input.next(Buffer.allocUnsafe(size));
  // A file may have more than its size says.
  await input.next(Buffer.allocUnsafe(1));
  await input.check();
  return bytes;
}
