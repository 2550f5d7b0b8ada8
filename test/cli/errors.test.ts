import { chmodSync, chownSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ANSWERS, EXIT } from '../../src/cli/terminal/exit-codes.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { asNobody } from '../disks/as-nobody.ts';
import { Cli, type Ran } from '../support/cli.ts';

/** What the README and `--help` promise, code by code; a new code does not compile until it stands here. */
const PROMISED: Record<ErrorCode, number> = {
  BAD_BUCKET_NAME: 2,
  BAD_KEY: 2,
  BAD_DISK_NAME: 2,
  BAD_RANGE: 2,
  BAD_REDUNDANCY: 2,
  BAD_ROOT: 2,
  BAD_SOURCE: 2,
  BAD_TARGET: 2,
  STORE_NOT_FOUND: 3,
  STORE_EXISTS: 1,
  STORE_DAMAGED: 4,
  UNKNOWN_FORMAT: 4,
  NO_SUCH_BUCKET: 3,
  NO_SUCH_KEY: 3,
  NO_SUCH_DISK: 3,
  BUCKET_EXISTS: 1,
  BUCKET_NOT_EMPTY: 1,
  DISK_EXISTS: 1,
  DISK_NEEDED: 5,
  KEY_COLLISION: 1,
  SOURCE_CHANGED: 1,
  META_DAMAGED: 4,
  CHUNK_DAMAGED: 4,
  CHUNK_UNAVAILABLE: 4,
  TOO_FEW_DISKS_TO_READ: 4,
  TOO_FEW_DISKS_TO_WRITE: 5,
  STORE_NOT_WRITABLE: 5,
  DISK_FULL: 5,
  DISK_READ_ONLY: 5,
  DISK_IO: 1,
  TARGET_IO: 1,
  OUT_OF_RESOURCES: 1,
  ABORTED: 130,
};

test('every error code has the exit code that is promised, and the promise has no code too many', () => {
  expect(Object.fromEntries(Object.entries(ANSWERS).map(([code, { exit }]) => [code, exit]))).toEqual(PROMISED);
  expect(Object.values(EXIT)).toEqual([0, 1, 2, 3, 4, 5, 130]);
});

/** A store with `my-bucket/k` and a file `f` beside it. */
async function ready(): Promise<Cli> {
  const cli = new Cli({ stdin: 'content' });
  writeFileSync(cli.path('f'), 'content');
  expect(await cli.upload('my-bucket', '-', '--key', 'k')).toMatchObject({ code: 0 });
  return cli;
}

/** The only chunk of the object. */
function chunkOf(cli: Cli): string {
  for (const disk of ['disk1', 'disk2', 'disk3']) {
    const folder = path.join(cli.root, disk, 'chunks');
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
      if (name.endsWith('.chunk')) return path.join(folder, name);
  }
  throw new Error('no chunk');
}

interface Situation {
  what: string;
  run: (cli: Cli) => Promise<Ran> | Ran;
  code: number;
  /** What stderr says, without `error: `. */
  says: RegExp;
}

const SITUATIONS: Situation[] = [
  {
    what: 'a bucket name with capitals',
    run: (cli) => cli.upload('My-Bucket', cli.path('f')),
    code: 2,
    says: /^bad bucket name "My-Bucket": 3 to 63/,
  },
  {
    what: 'a bucket name that is too short',
    run: (cli) => cli.store('ls', 'ab'),
    code: 2,
    says: /^bad bucket name "ab"/,
  },
  {
    what: 'a bucket name that leads elsewhere',
    run: (cli) => cli.download('../k'),
    code: 2,
    says: /^bad bucket name "\.\."/,
  },
  { what: 'an empty bucket name', run: (cli) => cli.download('/k'), code: 2, says: /^bad bucket name ""/ },
  {
    what: 'a bad name for a new bucket',
    run: (cli) => cli.store('bucket', 'create', 'a..b'),
    code: 2,
    says: /^bad bucket name "a\.\.b"/,
  },
  {
    what: 'an over-long key',
    run: (cli) => cli.download(`my-bucket/${'é'.repeat(513)}`, '-o', '-'),
    code: 2,
    says: /^bad key "é+…": it has 1026 bytes/,
  },
  {
    what: 'a missing bucket',
    run: (cli) => cli.download('no-bucket/k'),
    code: 3,
    says: /^there is no bucket "no-bucket"\n {2}"store ls"/,
  },
  {
    what: 'a missing bucket to list',
    run: (cli) => cli.store('ls', 'no-bucket'),
    code: 3,
    says: /^there is no bucket "no-bucket"/,
  },
  {
    what: 'a missing bucket to delete',
    run: (cli) => cli.store('bucket', 'rm', 'no-bucket'),
    code: 3,
    says: /^there is no bucket "no-bucket"/,
  },
  {
    what: 'a missing bucket to delete from',
    run: (cli) => cli.store('rm', 'no-bucket/k'),
    code: 3,
    says: /^there is no bucket "no-bucket"/,
  },
  {
    what: 'a missing bucket to delete all from',
    run: (cli) => cli.store('rm', '-r', 'no-bucket'),
    code: 3,
    says: /^there is no bucket "no-bucket"/,
  },
  {
    what: 'a missing key',
    run: (cli) => cli.download('my-bucket/none'),
    code: 3,
    says: /^there is no object "my-bucket\/none"\n {2}"store ls -r/,
  },
  {
    what: 'a missing key to stat',
    run: (cli) => cli.store('stat', 'my-bucket/none'),
    code: 3,
    says: /^there is no object "my-bucket\/none"/,
  },
  {
    what: 'a range beyond the end',
    run: (cli) => cli.download('my-bucket/k', '--range', '7-', '-o', '-'),
    code: 2,
    says: /^bad range 7-: the object has 7 bytes\n {2}ranges are like/,
  },
  {
    what: 'no store',
    run: (cli) => cli.with({}).download('my-bucket/k', '--root', cli.path('none')),
    code: 3,
    says: /^there is no store in ".*none"\n {2}the first upload makes/,
  },
  {
    what: 'no store to list',
    run: (cli) => cli.store('ls', '--root', cli.path('none')),
    code: 3,
    says: /^there is no store in ".*none"/,
  },
  {
    what: 'a root that is a file',
    run: (cli) => cli.upload('my-bucket', cli.path('f'), '--root', cli.path('f')),
    code: 2,
    says: /^".*\/f" is not a folder\n {2}name the store with --root/,
  },
  {
    what: 'a root that is a file to read',
    run: (cli) => cli.store('ls', '--root', cli.path('f')),
    code: 2,
    says: /^".*\/f" is not a folder/,
  },
  {
    what: 'a root below a file',
    run: (cli) => cli.upload('my-bucket', cli.path('f'), '--root', cli.path('f/x')),
    code: 2,
    says: /^".*\/f\/x" is not a folder/,
  },
  {
    what: 'a store.json that is no JSON',
    run: (cli) => {
      writeFileSync(path.join(cli.root, 'store.json'), '{');
      return cli.store('ls');
    },
    code: 4,
    says: /store\.json is damaged: it is not JSON\n {2}the README says/,
  },
  {
    what: 'a store of a later format',
    run: (cli) => {
      writeFileSync(path.join(cli.root, 'store.json'), '{"format":2}');
      return cli.store('ls');
    },
    code: 4,
    says: /store\.json has format 2; this program knows format 1\n {2}a newer version/,
  },
  {
    what: 'a chunk that is damaged',
    run: (cli) => {
      writeFileSync(chunkOf(cli), 'CONTENT');
      return cli.download('my-bucket/k', '-o', '-');
    },
    code: 4,
    says: /^bytes 0-6 of my-bucket\/k cannot be read: chunk 0 of my-bucket\/k on disk "disk\d" is damaged: its SHA-256 does not match \(chunks\/.*000000\.chunk\)\n {2}upload/,
  },
  {
    what: 'a chunk that is missing',
    run: (cli) => {
      rmSync(chunkOf(cli));
      return cli.download('my-bucket/k', '-o', '-');
    },
    code: 4,
    says: /^bytes 0-6 of my-bucket\/k cannot be read: chunk 0 of my-bucket\/k on disk "disk\d" is missing \(.*\n {2}upload the object again, or bring the file back/,
  },
  {
    what: 'a chunk whose disk is away',
    run: (cli) => {
      const [disk = ''] = path.relative(cli.root, chunkOf(cli)).split(path.sep);
      renameSync(path.join(cli.root, disk), cli.path('away'));
      return cli.download('my-bucket/k', '-o', '-');
    },
    code: 4,
    says: /^bytes 0-6 of my-bucket\/k cannot be read: chunk 0 .* is out of reach: the disk is missing .*\n {2}bring the disk back/,
  },
  {
    what: 'metas that are damaged on all disks',
    run: (cli) => {
      for (const disk of ['disk1', 'disk2', 'disk3'])
        writeFileSync(path.join(cli.root, disk, 'buckets/my-bucket/k.meta.json'), '{}');
      return cli.download('my-bucket/k', '-o', '-');
    },
    code: 4,
    says: /^disk\d\/buckets\/my-bucket\/k\.meta\.json is damaged/,
  },
  {
    what: 'too few disks to write',
    run: (cli) => {
      renameSync(path.join(cli.root, 'disk2'), cli.path('away2'));
      renameSync(path.join(cli.root, 'disk3'), cli.path('away3'));
      return cli.upload('my-bucket', cli.path('f'));
    },
    code: 5,
    says: /^1 of 3 disks are online, a write needs 2: disk "disk2" is missing \(there is no such folder\), disk "disk3" is missing .*\n {2}bring disks back\n$/,
  },
  {
    what: 'too few disks to read',
    run: (cli) => {
      renameSync(path.join(cli.root, 'disk2'), cli.path('away2'));
      renameSync(path.join(cli.root, 'disk3'), cli.path('away3'));
      return cli.download('my-bucket/k', '-o', '-');
    },
    code: 4,
    says: /^1 of 3 disks are online, a read needs 2: .*\n {2}bring disks back; if they are lost, .* --allow-stale: what is left may be old\n$/,
  },
  {
    what: 'a target folder that cannot be',
    run: (cli) => cli.download('my-bucket/k', '-o', cli.path('f/below/p')),
    code: 1,
    says: /^cannot write ".*f\/below\/p": /,
  },
];

describe('each failure has its exit code and its words, one or two lines and no stack trace', () => {
  test.each(SITUATIONS)('$what', async ({ run, code, says }) => {
    const result = await run(await ready());
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(result.stderr).toMatch(/^error: [^\n]+\n( {2}[^\n]+\n)?$/);
    expect(result.stderr.slice('error: '.length)).toMatch(says);
  });

  test('a folder that it may not write to, when it holds the store and when it is to hold one', async () => {
    const cli = new Cli({ stdin: 'content' });
    if (process.geteuid?.() === 0) chownSync(cli.folder, 65534, 65534);
    await asNobody(async () => {
      mkdirSync(cli.path('closed'), { mode: 0o555 });
      const first = await cli.upload('my-bucket', '-', '--key', 'k', '--root', cli.path('closed/store'));
      expect(first).toMatchObject({ code: 5, stdout: '' });
      expect(first.stderr).toMatch(/^error: cannot make a store in ".*closed\/store": EACCES: permission denied.*\n$/);

      await cli.store('init');
      chmodSync(path.join(cli.root, '.lock'), 0o444);
      const again = await cli.upload('my-bucket', '-', '--key', 'k');
      expect(again).toMatchObject({ code: 5, stdout: '' });
      expect(again.stderr).toMatch(/^error: the store cannot be written to: EACCES.*\n$/);
    });
  });
});

describe('a stack trace', () => {
  test.each([
    ['--debug', ['--debug'], {}],
    ['DEBUG', [], { DEBUG: '1' }],
  ])('is shown with %s, with the causes', async (_, args, env) => {
    const cli = await ready();
    const { code, stderr } = await cli.with({ env }).upload('my-bucket', cli.path('none'), ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: cannot read ".*none": there is no such file\nStoreError: cannot read .*\n {4}at /);
    expect(stderr).toMatch(/\ncaused by Error: ENOENT: /);
  });

  test('is not shown where DEBUG is empty', async () => {
    const cli = await ready();
    const { stderr } = await cli.with({ env: { DEBUG: '' } }).upload('my-bucket', cli.path('none'));
    expect(stderr).not.toContain('    at ');
  });
});
