import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import { seededBytes } from '../support/bytes.ts';
import { Cli } from '../support/cli.ts';

const MIB = 1024 * 1024;

/** Bytes of `photos/big` in a redundant store: three stripes under 2+1. */
export const BIG = seededBytes(5 * MIB + 17, 'big');

/** A store of disks `disk1`, …; in it, with this redundancy, `photos/big` of six chunks and `photos/small` of one. */
export async function redundantStore(redundancy = '2+1', disks = 4): Promise<Cli> {
  const cli = new Cli();
  expect(
    await cli.store('init', '--disks', String(disks), '--redundancy', redundancy, '--durability', 'none'),
  ).toMatchObject({ code: 0 });
  expect(await cli.with({ stdin: BIG }).upload('photos', '-', '--key', 'big')).toMatchObject({ code: 0 });
  expect(await cli.with({ stdin: 'small' }).upload('photos', '-', '--key', 'small')).toMatchObject({ code: 0 });
  return cli;
}

/** Files of chunks and parity, relative to the store's folder, of an object that has so many or more on a disk. */
export function shardsOn(cli: Cli, disk: string, ending = /\.(chunk|parity\d+)$/): string[] {
  const folder = path.join(cli.root, disk, 'chunks');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => ending.test(name));
  return sortedByUpload(names).map((name) => path.join(folder, name));
}

/** Chunks' files: those of what was uploaded first come first, each upload's in their order. */
function sortedByUpload(files: readonly string[]): string[] {
  return [...files].sort((a, b) => (path.basename(a) < path.basename(b) ? -1 : 1));
}

/** All files of chunks and parity. */
export function allShards(cli: Cli, ending?: RegExp): string[] {
  const disks = readdirSync(cli.root)
    .filter((name) => name.startsWith('d'))
    .sort();
  return disks.flatMap((disk) => shardsOn(cli, disk, ending));
}

/** Removes or damages the only chunk of an object of less than a chunk. */
export function ruinSmall(cli: Cli, content = 'small'): void {
  for (const file of allShards(cli)) {
    if (file.endsWith('.000000.chunk') && isSmall(cli, file)) writeFileSync(file, content.toUpperCase());
  }
}

function isSmall(cli: Cli, file: string): boolean {
  const second = path.basename(file).replace('.000000.', '.000001.');
  return !allShards(cli).some((other) => other.endsWith(second));
}

/** Takes a disk's folder away, and gives back the function that puts it back. */
export function unplug(cli: Cli, disk: string): () => void {
  const [here, away] = [path.join(cli.root, disk), cli.path(`away-${disk}`)];
  renameSync(here, away);
  return () => {
    rmSync(here, { recursive: true, force: true });
    renameSync(away, here);
  };
}

/** The bytes of `photos/big`, as a download gives them. */
export async function readBig(cli: Cli): Promise<Buffer> {
  return (await cli.download('photos/big', '-o', '-')).bytes;
}
