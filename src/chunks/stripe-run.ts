import { isDiskFault, must, StoreError } from '../errors.ts';
import type { Buffers } from '../memory/buffer-pool.ts';
import type { ChunkEntry, ObjectMeta } from '../metadata/meta.ts';
import { isParity, shardsOf, type ShardEntry, type Stripe } from '../metadata/stripes.ts';
import { computeShards, type ShardBytes } from './compute-shards.ts';
import { lossError } from './loss.ts';
import type { ShardReader } from './shard-reader.ts';

export interface StripeRunOptions {
  buffers: Buffers;
  /** Told of each chunk that was computed from parity instead of read, and why. */
  onRebuilt?: ((chunk: ChunkEntry, reason: StoreError) => void) | undefined;
}

type ShardState =
  | { state: 'idle' }
  /** `isLate`: it is waited for still, but what stands in for it is read as well; whichever is there first counts. */
  | { state: 'reading'; isLate: boolean }
  | { state: 'good'; bytes: Buffer; isVerified: boolean }
  | { state: 'bad'; error: StoreError };

/** The reading of one stripe. */
export class StripeRun {
  readonly #meta: ObjectMeta;
  readonly #stripe: Stripe;
  readonly #wanted: readonly ChunkEntry[];
  readonly #shards: ShardReader;
  readonly #options: StripeRunOptions;
  readonly #states = new Map<ShardEntry, ShardState>();
  readonly #buffers: Buffer[] = [];
  #isOver = false;
  /** While what was computed is compared with its checksum, nothing else is decided. */
  #isRecovering = false;
  #resolve: (chunks: Buffer[]) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(
    meta: ObjectMeta,
    stripe: Stripe,
    wanted: readonly ChunkEntry[],
    shards: ShardReader,
    options: StripeRunOptions,
  ) {
    this.#meta = meta;
    this.#stripe = stripe;
    this.#wanted = wanted;
    this.#shards = shards;
    this.#options = options;
    for (const shard of shardsOf(stripe)) this.#states.set(shard, { state: 'idle' });
  }

  chunks(): Promise<Buffer[]> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      for (const chunk of this.#wanted) this.#start(chunk, this.#shards.isSlow(chunk));
      this.#advance();
    });
  }

  /** Gives the buffers back; a read that still hangs keeps its own until it returns. */
  end(): void {
    this.#isOver = true;
    for (const buffer of this.#buffers.splice(0)) this.#options.buffers.give(buffer);
  }

  #count(...states: ShardState['state'][]): number {
    return [...this.#states.values()].filter(({ state }) => states.includes(state)).length;
  }

  #start(shard: ShardEntry, isLate = false): void {
    const reading = { state: 'reading' as const, isLate };
    this.#states.set(shard, reading);
    const onLate = (): void => {
      reading.isLate = true;
      this.#advance();
    };
    void this.#readShard(shard, this.#stripe.parity.length === 0 ? undefined : onLate);
  }

  async #readShard(shard: ShardEntry, onLate: (() => void) | undefined): Promise<void> {
    try {
      const state = await this.#outcomeOf(shard, onLate);
      if (this.#isOver) return;
      this.#states.set(shard, state);
      this.#advance();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #outcomeOf(shard: ShardEntry, onLate: (() => void) | undefined): Promise<ShardState> {
    try {
      let bytes = await this.#fetch(shard, onLate);
      // What parity is computed from is checked by what comes out; only if that is wrong, it is checked itself.
      const isVerified = !isParity(shard) && this.#wanted.includes(shard);
      if (isVerified && !this.#isOver) bytes = await this.#check(shard, bytes);
      return { state: 'good', bytes, isVerified };
    } catch (error) {
      if (isDiskFault(error)) return { state: 'bad', error };
      throw error;
    }
  }

  async #fetch(shard: ShardEntry, onLate: (() => void) | undefined): Promise<Buffer> {
    const { buffers } = this.#options;
    const taken: Buffer[] = [];
    const take = (): Buffer => {
      if (this.#isOver) throw new StoreError('ABORTED', 'nobody waits for the stripe any more');
      const buffer = buffers.take(shard.size + 1);
      taken.push(buffer);
      return buffer;
    };
    try {
      const bytes = await this.#shards.read(shard, { buffer: take, onLate });
      if (!this.#isOver) this.#buffers.push(...taken.splice(0));
      return bytes;
    } finally {
      for (const buffer of taken) buffers.give(buffer);
    }
  }

  /** Only the run's own buffers may be moved: a disk may give bytes of its own. */
  async #check(shard: ShardEntry, bytes: Buffer): Promise<Buffer> {
    if (this.#buffers.some(({ buffer }) => buffer === bytes.buffer)) return this.#shards.checkMoving(shard, bytes);
    await this.#shards.check(shard, bytes);
    return bytes;
  }

  /** Looks at what has come, and does what follows from it. */
  #advance(): void {
    if (this.#isOver || this.#isRecovering) return;
    try {
      const missing = this.#wanted.filter((chunk) => this.#states.get(chunk)?.state !== 'good');
      if (missing.length === 0) {
        this.#done();
      } else if (missing.some((chunk) => this.#isHopeless(chunk))) {
        this.#substitute(missing);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Whether nobody should wait for this shard: it can't be read, or is late. */
  #isHopeless(shard: ShardEntry): boolean {
    const state = this.#states.get(shard);
    return state?.state === 'bad' || (state?.state === 'reading' && state.isLate);
  }

  /** Computes the missing chunks once there are enough shards for it; until then sees to it that enough are on their way. */
  #substitute(missing: readonly ChunkEntry[]): void {
    const needed = this.#stripe.chunks.length;
    if (this.#count('good') >= needed) {
      this.#isRecovering = true;
      this.#recover(missing).catch((error: unknown) => {
        this.#fail(error);
      });
      return;
    }
    const idle = [...this.#states].filter(([, { state }]) => state === 'idle').map(([shard]) => shard);
    // Disks that are not there or slow are asked last.
    const order = idle.sort((a, b) => Number(this.#shards.isSlow(a)) - Number(this.#shards.isSlow(b)));
    const hoped = [...this.#states].filter(
      ([shard, { state }]) => state === 'good' || (state === 'reading' && !this.#isHopeless(shard)),
    ).length;
    const next = order.slice(0, Math.max(0, needed - hoped));
    for (const shard of next) this.#start(shard);
    // A lost chunk for which not enough is left; others may still be on their way, but they change nothing.
    const possible = this.#count('good', 'reading', 'idle');
    const lost = missing.filter((chunk) => this.#states.get(chunk)?.state === 'bad');
    if (lost.length > 0 && possible < needed) {
      const reasons = [...this.#states.values()].flatMap((state) => (state.state === 'bad' ? [state.error] : []));
      throw lossError(this.#meta, this.#stripe, lost, reasons);
    }
  }

  async #recover(missing: readonly ChunkEntry[]): Promise<void> {
    const stripe = this.#stripe;
    const sources: ShardBytes[] = [];
    for (const [shard, state] of this.#states) {
      if (state.state === 'good' && sources.length < stripe.chunks.length) sources.push({ shard, bytes: state.bytes });
    }
    const taken = missing.map(({ size }) => this.#options.buffers.take(size));
    this.#buffers.push(...taken);
    const outputs = missing.map((shard, index) => ({
      shard,
      bytes: must(taken[index], 'buffer').subarray(0, shard.size),
    }));
    computeShards(stripe, sources, outputs);
    let computed: Buffer[];
    try {
      computed = await Promise.all(outputs.map(({ shard, bytes }) => this.#check(shard, bytes)));
    } catch (error) {
      if (!isDiskFault(error) || !(await this.#dropDamagedSources(sources))) throw error;
      if (this.#isOver) return;
      for (const buffer of taken) {
        this.#buffers.splice(this.#buffers.indexOf(buffer), 1);
        this.#options.buffers.give(buffer);
      }
      this.#isRecovering = false;
      this.#advance();
      return;
    }
    if (this.#isOver) return;
    for (const [index, chunk] of missing.entries()) {
      const bytes = must(computed[index], 'computed chunk');
      const state = this.#states.get(chunk);
      const late = this.#shards.error('slow', chunk, 'is slow to come');
      this.#options.onRebuilt?.(chunk, state?.state === 'bad' ? state.error : late);
      this.#states.set(chunk, { state: 'good', bytes, isVerified: true });
    }
    this.#done();
  }

  /** Checks what something wrong was computed from; tells whether any of it was to blame. */
  async #dropDamagedSources(sources: readonly ShardBytes[]): Promise<boolean> {
    let found = false;
    for (const { shard, bytes } of sources) {
      const state = this.#states.get(shard);
      if (state?.state !== 'good' || state.isVerified) continue;
      try {
        state.bytes = await this.#check(shard, bytes);
        state.isVerified = true;
      } catch (error) {
        if (!isDiskFault(error)) throw error;
        this.#states.set(shard, { state: 'bad', error });
        found = true;
      }
    }
    return found;
  }

  #done(): void {
    const chunks = this.#wanted.map((chunk) => {
      const state = this.#states.get(chunk);
      return must(state?.state === 'good' ? state.bytes : undefined, `chunk ${chunk.order}, which was found`);
    });
    this.#isOver = true;
    this.#resolve(chunks);
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reject(error);
  }
}
