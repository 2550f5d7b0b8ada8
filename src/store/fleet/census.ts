import { exhaust } from '../../concurrency/workers.ts';
import { throwIfAborted } from '../../errors.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { readManyCopies, type Copy } from '../../metadata/copies.ts';
import { compareAge } from '../../metadata/document.ts';
import { isTombstone, type Meta, type ObjectMeta } from '../../metadata/meta.ts';
import { stripesOf } from '../../metadata/stripes.ts';
import type { Walk, WalkedMeta } from '../protocol/walk.ts';

/** What metas say is on a disk. */
export interface Holding {
  /** Bytes of chunks and parity. */
  used: number;
  /** Objects that have something on it. */
  objects: number;
  /** Chunks and parity chunks. */
  chunks: number;
}

/** The widest stripe or setting that needs a disk for each shard: `k+m`, whose it is, and how many shards. */
export interface Widest {
  redundancy: string;
  name: string;
  shards: number;
}

/** What metas say of all disks. */
export class Census {
  widest: Widest = { redundancy: '', name: '', shards: 0 };
  readonly #holdings = new Map<string, Holding>();
  readonly #stale = new Map<string, number>();

  /** Counts a walk's objects. @param newest of a key's metas; undefined where there is none to count */
  async count(
    walk: Walk,
    newest: (copies: readonly Copy<Meta>[]) => Meta | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const counted = walk.mapMetas(async (slice) => {
      throwIfAborted(signal);
      for (const copies of await lookAgain(slice)) {
        const meta = newest(copies);
        if (meta !== undefined) this.#add(meta, copies);
      }
    });
    await exhaust(counted);
  }

  holdingOf(disk: string): Holding {
    const holding = this.#holdings.get(disk) ?? { used: 0, objects: 0, chunks: 0 };
    this.#holdings.set(disk, holding);
    return holding;
  }

  /** How many metas a disk that has been asked has older than others, or lacks. */
  staleMetasOn(disk: string): number {
    return this.#stale.get(disk) ?? 0;
  }

  widen(redundancy: string, name: string, shards: number): void {
    if (shards > this.widest.shards) this.widest = { redundancy, name, shards };
  }

  #add(meta: Meta, copies: readonly Copy<Meta>[]): void {
    for (const copy of copies) {
      const isCurrent = copy.state === 'valid' && compareAge(copy.document, meta) === 0;
      if (!isCurrent) this.#stale.set(copy.disk.name, this.staleMetasOn(copy.disk.name) + 1);
    }
    if (!isTombstone(meta)) this.#addObject(meta);
  }

  #addObject(meta: ObjectMeta): void {
    const touched = new Set<Holding>();
    for (const { disk, size } of [...meta.chunks, ...meta.parity]) {
      const holding = this.holdingOf(disk);
      holding.used += size;
      holding.chunks++;
      touched.add(holding);
    }
    for (const holding of touched) holding.objects++;
    for (const { chunks, parity } of stripesOf(meta)) {
      // Chunks without parity can share a disk.
      const shards = parity.length === 0 ? 1 : chunks.length + parity.length;
      this.widen(meta.redundancy, `${meta.bucket}/${meta.key}`, shards);
    }
  }
}

/** A disk that was listed before a key was written may have it by now: then it is asked itself. */
async function lookAgain(slice: readonly WalkedMeta[]): Promise<Copy<Meta>[][]> {
  const lacking = slice.filter(({ copies }) => copies.some(({ state }) => state === 'absent'));
  const holders = lacking[0]?.copies.map(({ disk }) => disk) ?? [];
  const again = await readManyCopies(
    holders,
    lacking.map(({ bucket, key }) => ({ kind: metaKind(bucket, key), holders })),
  );
  const whole = slice.filter((walked) => !lacking.includes(walked)).map(({ copies }) => copies);
  return [...whole, ...again];
}
