import * as path from 'node:path';
import { expect } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import type { Cli } from '../support/cli.ts';
import { forge, MIB } from '../support/store.ts';

/**
 * Makes an object of many mebibytes without writing them: its meta names one and the same chunk again and again. What
 * reads it is at work long enough to be interrupted.
 */
export async function storeHuge(cli: Cli, key: string, chunks: number): Promise<void> {
  expect(await cli.with({ stdin: Buffer.alloc(MIB) }).upload('my-bucket', '-', '--key', key)).toMatchObject({ code: 0 });
  const store = await ObjectStore.open(cli.root);
  const { chunks: [chunk] } = await store.head('my-bucket', key);
  for (const { name } of store.document.disks) {
    forge(path.join(cli.root, name, 'buckets/my-bucket', `${key}.meta.json`), (meta) => {
      meta['size'] = chunks * MIB;
      meta['chunks'] = Array.from({ length: chunks }, (_, order) => ({ ...chunk, order }));
    });
  }
  expect(await store.head('my-bucket', key)).toMatchObject({ size: chunks * MIB });
}
