import { isStoreError, type DeleteItem } from '../../index.ts';
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

/** Deletes objects. One that can't be deleted doesn't stop the others. */
export async function runRemove(addresses: readonly string[], options: RemoveCommandOptions, io: Io): Promise<number> {
  const isRecursive = options.recursive === true;
  const places = addresses.map((address) => (isRecursive ? parseAddress(address) : parseObjectAddress(address)));
  const store = await openStore(options, io);
  const failures: unknown[] = [];

  const fail = async (error: unknown): Promise<void> => {
    failures.push(error);
    await printError(error, io);
  };
  const report = ({ bucket, key }: DeleteItem): Promise<void> =>
    io.stdout.result(options, { bucket, key, deleted: true }, `deleted ${printable(`${bucket}/${key}`)}`);

  const removeOne = async (item: DeleteItem): Promise<void> => {
    if (io.signal.aborted) return;
    try {
      await store.delete(item.bucket, item.key, item);
    } catch (error) {
      if (!isStoreError(error, 'ABORTED')) await fail(error);
      return;
    }
    await report(item);
  };

  const removeAll = async (bucket: string, prefix: string): Promise<void> => {
    const onDamaged = (_: string, error: Error): undefined => void fail(error);
    async function* items(): AsyncGenerator<DeleteItem> {
      for await (const { key } of store.list(bucket, { prefix, onDamaged })) {
        if (io.signal.aborted) return;
        yield { bucket, key, signal: io.signal };
      }
    }
    for await (const outcome of store.deleteMany(items())) {
      if (!('error' in outcome)) await report(outcome.item);
      // What somebody else has deleted meanwhile is gone, as asked.
      else if (!isStoreError(outcome.error, 'ABORTED', 'NO_SUCH_KEY')) await fail(outcome.error);
    }
  };

  for (const { bucket, key } of places) {
    if (isRecursive) await removeAll(bucket, key ?? '');
    else await removeOne({ bucket, key: key ?? '', signal: io.signal });
  }
  if (io.signal.aborted) return EXIT.interrupted;
  // What a delete that died has unlinked does not show, but may come back when the power goes.
  if (isRecursive) await store.flush();
  if (failures.length === 0) return EXIT.done;
  return addresses.length === 1 && !isRecursive ? exitCodeOf(failures[0]) : EXIT.failed;
}
