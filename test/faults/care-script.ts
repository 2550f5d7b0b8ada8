/** Does one thing to a store: `node care-script.js <library> <root> <input> <task>`; the task is JSON, and so is the result on stdout. */
import { writeSync } from 'node:fs';
import type * as Library from '../../src/index.ts';

/** What is done, beside uploads and downloads, to keep a store well. */
export type Care =
  | { do: 'put'; bucket: string; key: string; redundancy: string }
  | { do: 'delete'; bucket: string; key: string }
  | { do: 'heal' | 'rebalance' }
  | { do: 'add disk' | 'replace disk' | 'drain disk' | 'remove disk'; name: string };

/** What it says: `failed` in words, and after a heal how many objects there are and how many are whole. */
export interface CareResult {
  failed: string[];
  objects?: number;
  whole?: number;
  error?: { code: string; message: string };
}

const [library = '', root = '', input = '', task = ''] = process.argv.slice(2);
const { ObjectStore, isStoreError } = (await import(library)) as typeof Library;

let result: CareResult;
try {
  result = await care(await ObjectStore.open(root), JSON.parse(task) as Care);
} catch (error) {
  if (!isStoreError(error)) throw error;
  result = { failed: [], error: { code: error.code, message: error.message } };
}
writeSync(1, JSON.stringify(result));

async function care(store: Library.ObjectStore, what: Care): Promise<CareResult> {
  switch (what.do) {
    case 'put': {
      const { failed, unwritten } = await store.put(what.bucket, what.key, input, { redundancy: what.redundancy });
      return {
        failed: [...failed.map(({ reason }) => reason), ...unwritten.map(({ file }) => `${file} is not written`)],
      };
    }
    case 'delete':
      await store.delete(what.bucket, what.key);
      return { failed: [] };
    case 'heal': {
      const { failed, objects, whole } = await store.heal();
      return { failed, objects, whole };
    }
    case 'rebalance':
      return { failed: (await store.rebalance()).failed };
    case 'add disk':
      await store.addDisk(what.name, `${root}/${what.name}`);
      return { failed: [] };
    case 'replace disk':
      await store.replaceDisk(what.name);
      return { failed: [] };
    case 'drain disk':
      return { failed: (await store.drainDisk(what.name)).failed };
    case 'remove disk':
      await store.removeDisk(what.name);
      return { failed: [] };
  }
}
