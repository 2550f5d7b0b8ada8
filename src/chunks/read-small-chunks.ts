import { answerWithin, NO_ANSWER } from '../concurrency/patience.ts';
import type { Disk, ReadOutcome } from '../disks/disk.ts';
import { must } from '../errors.ts';
import type { ChunkEntry, ObjectMeta } from '../metadata/meta.ts';
import { sha256Now } from './sha256.ts';

/** Chunks that parity stands in for are waited for so many milliseconds. */
const LATE_MS = 500;

/** The one chunk of an object, and whether there is parity for it. */
interface Wanted {
  of: number;
  chunk: ChunkEntry;
  hasParity: boolean;
}

/**
 * The bytes of small objects, of one chunk at most, each disk all of its own at once. Only bytes that match their SHA-256.
 * @param metas of versions that are held
 * @returns undefined for those whose chunk has not come, soon, as it should be: the reading of a single object knows what to make of that
 */
export async function readSmallChunks(
  disks: readonly Disk[],
  metas: readonly (ObjectMeta | undefined)[],
): Promise<(Buffer | undefined)[]> {
  const contents = metas.map((meta): Buffer | undefined => (meta?.size === 0 ? Buffer.alloc(0) : undefined));
  const wanted = metas.flatMap((meta, of): Wanted[] => {
    const [chunk, another] = meta?.chunks ?? [];
    if (meta === undefined || chunk === undefined || another !== undefined) return [];
    return [{ of, chunk, hasParity: meta.parity.length > 0 }];
  });
  const read = async (disk: Disk, hasParity: boolean): Promise<void> => {
    const own = wanted.filter(({ chunk, ...one }) => chunk.disk === disk.name && one.hasParity === hasParity);
    if (own.length === 0 || (hasParity && disk.isSlow)) return;
    const reading = disk.readMany(own.map(({ chunk }) => chunk.file));
    const outcomes = hasParity ? await inTime(reading) : await reading;
    for (const [index, { of, chunk }] of own.entries()) contents[of] = checked(chunk, outcomes?.[index]);
  };
  await Promise.all(disks.flatMap((disk) => [read(disk, true), read(disk, false)]));
  return contents;
}

async function inTime<T>(reading: Promise<T>): Promise<T | undefined> {
  const waiting = { milliseconds: LATE_MS, notice: LATE_MS, onNotice: () => undefined };
  const answer = await answerWithin(reading, waiting);
  return answer === NO_ANSWER ? undefined : answer;
}

function checked(chunk: ChunkEntry, outcome: ReadOutcome | undefined): Buffer | undefined {
  if (outcome === undefined || 'error' in outcome || outcome.bytes?.length !== chunk.size) return undefined;
  return sha256Now(must(outcome.bytes, 'bytes')) === chunk.sha256 ? outcome.bytes : undefined;
}
