import { describe, expect, it } from 'vitest';
import { diskError } from '../../src/disks/disk-error.ts';
import { isDiskFault } from '../../src/errors.ts';

describe('the error of a disk', () => {
  it.each([
    ['ENOSPC', 'DISK_FULL'],
    ['EDQUOT', 'DISK_FULL'],
    ['EROFS', 'DISK_READ_ONLY'],
    ['EACCES', 'DISK_READ_ONLY'],
    ['EPERM', 'DISK_READ_ONLY'],
    ['EIO', 'DISK_IO'],
    ['ENOENT', 'DISK_IO'],
  ])('calls %s %s, and names disk, path, what was tried and the cause', (errno, code) => {
    const cause = Object.assign(new Error(`${errno}: from the system`), { code: errno });
    const error = diskError('disk7', 'write', 'chunks/x', cause);
    expect(error).toMatchObject({ code, details: { disk: 'disk7', path: 'chunks/x', errno } });
    expect(error.cause).toBe(cause);
    expect(error.message).toContain('disk "disk7"');
    expect(error.message).toContain('cannot write chunks/x');
    expect(error.message).toContain(cause.message);
  });

  it.each([
    ['ENOENT', 'missing'],
    ['EFBIG', 'too-long'],
    ['ENOTDIR', 'blocked'],
    ['EACCES', 'closed'],
    ['EIO', undefined],
    ['ENOSPC', undefined],
  ])('that is %s is the fault "%s"', (errno, fault) => {
    const cause = Object.assign(new Error(`${errno}: from the system`), { code: errno });
    expect(diskError('disk7', 'read', 'chunks/x', cause).details.fault).toBe(fault);
  });

  it.each(['EMFILE', 'ENFILE', 'ENOMEM', 'EINTR'])(
    'is none of the disk where it is %s: that is said of the process',
    (errno) => {
      const cause = Object.assign(new Error(`${errno}: from the system`), { code: errno });
      const error = diskError('disk7', 'write', 'chunks/x', cause);
      expect(error).toMatchObject({ code: 'OUT_OF_RESOURCES', details: { errno }, cause });
      expect(error.details).not.toHaveProperty('disk');
      expect(error.message).toContain('cannot write chunks/x');
      expect(isDiskFault(error)).toBe(false);
    },
  );

  it('has no errno where the cause has none', () => {
    expect(diskError('disk7', 'write', 'x', 'a text')).toMatchObject({
      code: 'DISK_IO',
      details: { disk: 'disk7', path: 'x' },
    });
    expect(diskError('disk7', 'write', 'x', new Error('plain')).details).not.toHaveProperty('errno');
  });
});
