import { ChunkReader, sliceChunks, type ChunkSlice } from '../chunks/chunk-reader.ts';
import { throwIfAborted } from '../errors.ts';
import type { ObjectMeta } from '../metadata/meta.ts';
import type { StoreContext } from './context.ts';
import type { GetOptions } from './get.ts';
import { openVersion } from './open-version.ts';
import { resolveRange } from './range.ts';

/** An object held for reading: what is wanted of it, and who reads that. */
export interface OpenObject {
  meta: ObjectMeta;
  slices: ChunkSlice[];
  reader: ChunkReader;
  release: () => Promise<void>;
}

/**
 * Holds an object's newest version and finds the chunks of the wanted range. A disk that is needed and not there is
 * told of now, before a first byte has gone out.
 */
export async function openObject(context: StoreContext, bucket: string, key: string, options: GetOptions): Promise<OpenObject> {
  throwIfAborted(options.signal);
  const { meta, view, release } = await openVersion(context, bucket, key, options.allowStale ?? false, options.signal);
  try {
    const { from, to } = resolveRange(options.range, meta.size);
    const slices = sliceChunks(meta.chunks, from, to);
    const reader = new ChunkReader(meta, view.online, view.offline);
    reader.checkDisks(slices);
    return { meta, slices, reader, release };
  } catch (error) {
    await release();
    throw error;
  }
}
