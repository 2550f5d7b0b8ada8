import { copyFileSync, linkSync } from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { chunkFile, uploadOf } from '../../src/metadata/shard-file.ts';
import type { Cli } from '../support/cli.ts';
import { forge, MIB } from '../support/store.ts';

/** File systems let a file have some 65,000 names. */
const MOST_NAMES = 30_000;

/**
 * Makes an object of many mebibytes without writing them: its chunks are one and the same file under many names. What
 * reads it is at work long enough to be interrupted.
 */
export async function storeHuge(cli: Cli, key: string, chunks: number): Promise<void> {
  expect(await cli.with({ stdin: Buffer.alloc(MIB) }).upload('my-bucket', '-', '--key', key)).toMatchObject({
    code: 0,
  });
  const store = await ObjectStore.open(cli.root);
  const [chunk] = (await store.head('my-bucket', key)).chunks;
  if (chunk === undefined) throw new Error('there is no chunk');
  const id = uploadOf(chunk);
  const fileOf = (order: number): string => path.join(cli.root, chunk.disk, chunkFile(id, order));
  for (let order = 1; order < chunks; order++) {
    if (order % MOST_NAMES === 0) copyFileSync(fileOf(order - 1), fileOf(order));
    else linkSync(fileOf(order - 1), fileOf(order));
  }
  for (const { name } of store.document.disks) {
    forge(path.join(cli.root, name, 'buckets/my-bucket', `${key}.meta.json`), (meta) => {
      meta['size'] = chunks * MIB;
      meta['chunks'] = Array.from({ length: chunks }, (_, order) => ({ ...chunk, order, file: chunkFile(id, order) }));
    });
  }
  expect(await store.head('my-bucket', key)).toMatchObject({ size: chunks * MIB });
}
