import pMap from 'p-map';
import { isStoreError } from '../../index.ts';
import { parseAddress, parseObjectAddress } from '../input/address.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { exitCodeOf, printError } from '../terminal/failure.ts';
import { printable } from '../terminal/format.ts';
import type { Io } from '../terminal/io.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';

export interface RemoveCommandOptions extends CommonOptions {
  recursive?: true;
}

const AT_ONCE = 16;

/** Deletes objects. One that can't be deleted doesn't stop the others. */
export async function runRemove(addresses: readonly string[], options: RemoveCommandOptions, io: Io): Promise<number> {
  const isRecursive = options.recursive === true;
  const places = addresses.map((address) => (isRecursive ? parseAddress(address) : parseObjectAddress(address)));
  const store = await openStore(options, io);
  const failures: unknown[] = [];

  const remove = async (bucket: string, key: string): Promise<void> => {
    if (io.signal.aborted) return;
    try {
      await store.delete(bucket, key, { signal: io.signal });
    } catch (error) {
      if (isStoreError(error, 'ABORTED')) return;
      // Under -r, what somebody else has deleted meanwhile is gone, as asked.
      if (isRecursive && isStoreError(error, 'NO_SUCH_KEY')) return;
      failures.push(error);
      await printError(error, io);
      return;
    }
    await io.stdout.result(options, { bucket, key, deleted: true }, `deleted ${printable(`${bucket}/${key}`)}`);
  };

  for (const { bucket, key } of places) {
    if (!isRecursive) {
      await remove(bucket, key ?? '');
      continue;
    }
    const onDamaged = (_: string, error: Error): void => {
      failures.push(error);
      void printError(error, io);
    };
    await pMap(store.list(bucket, { prefix: key ?? '', onDamaged }), (object) => remove(bucket, object.key), {
      concurrency: AT_ONCE,
    });
  }
  if (io.signal.aborted) return EXIT.interrupted;
  // What a delete that died has unlinked does not show, but may come back when the power goes.
  if (isRecursive) await store.flush();
  if (failures.length === 0) return EXIT.done;
  return addresses.length === 1 && !isRecursive ? exitCodeOf(failures[0]) : EXIT.failed;
}
