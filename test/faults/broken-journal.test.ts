import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { NO_TURNS } from '../../src/concurrency/call-gate.ts';
import { LocalMany } from '../../src/disks/local/local-many.ts';
import { SharedSync } from '../../src/files/shared-sync.ts';
import { makeDisk } from '../disks/make-disks.ts';
import { tempFolder } from '../support/temp.ts';

/** Why no ext4 can be mounted here, or undefined where one can. */
function problem(): string | undefined {
  const script =
    'f=$(mktemp -d) && truncate -s 16M "$f/i" && mkfs.ext4 -q "$f/i" && mkdir "$f/m" && mount -o loop "$f/i" "$f/m"; code=$?; umount "$f/m"; rm -rf "$f"; exit $code';
  const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  return status === 0 ? undefined : `mounting an ext4 needs root and loop devices (${stderr.trim()})`;
}

const PROBLEM = problem();
if (PROBLEM !== undefined) console.warn(`SKIPPED, nothing is proved about journals that break: ${PROBLEM}`);

test.skipIf(PROBLEM !== undefined)(
  'what was written when the journal of its file system broke counts as failed',
  async () => {
    const folder = tempFolder();
    const [image, mount] = [join(folder, 'image'), join(folder, 'mount')];
    writeFileSync(image, '');
    truncateSync(image, 64 * 1024 * 1024);
    execFileSync('mkfs.ext4', ['-q', image]);
    mkdirSync(mount);
    execFileSync('mount', ['-o', 'loop', image, mount]);
    onTestFinished(() => {
      execFileSync('umount', ['-l', mount]);
    });
    const { disk, root } = makeDisk(1, join(mount, 'disk1'));
    const breakJournal = (): void => void execFileSync('mount', ['-o', 'remount,abort', mount]);
    const many = new LocalMany(disk, root, NO_TURNS, async (at) => {
      const sync = await SharedSync.open(at);
      if (sync === undefined) return undefined;
      return {
        device: sync.device,
        close: () => sync.close(),
        sync: () => {
          breakJournal();
          return sync.sync();
        },
      };
    });
    const files = Array.from({ length: 20 }, (_, index) => ({
      path: `chunks/${index}`,
      bytes: Buffer.alloc(5000, index),
    }));
    const failures = await many.createMany(files, { within: 'chunks', durable: true });
    expect(failures.size).toBe(files.length);
    for (const error of failures.values()) expect(error).toMatchObject({ code: 'DISK_READ_ONLY' });
  },
);
