import { errnoOf, isStoreError, reasonOf, StoreError, throwIfShort } from '../../errors.ts';
import type { Made } from '../../files/made.ts';

/**
 * Runs `work`; if it fails, what it has made is taken back, and a system's error is told as one of the place.
 * @param what is made: `a store`
 * @throws BAD_ROOT, STORE_NOT_WRITABLE
 */
export async function making<T>(what: string, where: string, made: Made, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await made.undo();
    if (isStoreError(error)) throw error;
    throwIfShort(error, `cannot make ${what} in "${where}"`);
    const errno = errnoOf(error);
    const details = { path: where, errno };
    if (errno === 'EEXIST' || errno === 'ENOTDIR')
      throw new StoreError('BAD_ROOT', `"${where}" is not a folder`, details, error);
    throw new StoreError('STORE_NOT_WRITABLE', `cannot make ${what} in "${where}": ${reasonOf(error)}`, details, error);
  }
}
