import { describe, expect, it } from 'vitest';
import { errnoOf, isStoreError, StoreError, throwIfAborted } from '../src/errors.ts';

describe('an error of the library', () => {
  it('carries code, message, details and cause', () => {
    const cause = new Error('underneath');
    const error = new StoreError('DISK_IO', 'it failed', { disk: 'disk1', fault: 'offline', chunk: 3 }, cause);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'StoreError',
      code: 'DISK_IO',
      message: 'it failed',
      details: { disk: 'disk1', fault: 'offline', chunk: 3 },
    });
    expect(error.cause).toBe(cause);
  });

  it('has no cause at all where none was given', () => {
    expect('cause' in new StoreError('BAD_KEY', 'bad')).toBe(false);
    expect(new StoreError('BAD_KEY', 'bad').details).toEqual({});
    expect(new StoreError('BAD_KEY', 'bad', { errno: undefined }).details).toStrictEqual({});
  });

  it('is told from others, by its code if one is asked for', () => {
    const error = new StoreError('NO_SUCH_KEY', 'none');
    expect(isStoreError(error)).toBe(true);
    expect(isStoreError(error, 'NO_SUCH_KEY')).toBe(true);
    expect(isStoreError(error, 'BAD_KEY', 'NO_SUCH_KEY')).toBe(true);
    expect(isStoreError(error, 'BAD_KEY')).toBe(false);
    expect(isStoreError(Object.assign(new Error('x'), { code: 'NO_SUCH_KEY' }))).toBe(false);
    expect(isStoreError(undefined)).toBe(false);
  });
});

describe('the system code of an error', () => {
  it.each([
    [Object.assign(new Error('x'), { code: 'ENOENT' }), 'ENOENT'],
    [Object.assign(new Error('x'), { code: 5 }), undefined],
    [new Error('x'), undefined],
    [{ code: 'ENOENT' }, undefined],
    ['ENOENT', undefined],
    [undefined, undefined],
  ])('of %o is %s', (error, errno) => {
    expect(errnoOf(error)).toBe(errno);
  });
});

describe('an abort', () => {
  it('throws nothing without a signal, or before it is given', () => {
    expect(() => {
      throwIfAborted(undefined);
      throwIfAborted(new AbortController().signal);
    }).not.toThrow();
  });

  it('throws ABORTED with the reason as the cause once it is given', () => {
    const reason = new Error('Ctrl-C');
    let thrown: unknown;
    try {
      throwIfAborted(AbortSignal.abort(reason));
    } catch (error) {
      thrown = error;
    }
    expect(isStoreError(thrown, 'ABORTED')).toBe(true);
    expect(thrown).toHaveProperty('cause', reason);
  });
});
