import * as path from 'node:path';
import { Chalk } from 'chalk';
import { isStoreError, type UnreadableFolder } from '../../index.ts';
import { adviceFor } from '../terminal/advice.ts';
import { drawDisks, type ShownDisk } from '../terminal/disk-picture.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { exitCodeOf, printError } from '../terminal/failure.ts';
import { formatBytes, plural, printable } from '../terminal/format.ts';
import type { Io } from '../terminal/io.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';

/** Shows all disks. Where too few answer to tell what is on them, it still shows how each is. */
export async function runDiskList(options: CommonOptions, io: Io): Promise<number> {
  const store = await openStore(options, io);
  let exitCode: number = EXIT.done;
  let disks: ShownDisk[];
  try {
    disks = await store.usage({ signal: io.signal });
  } catch (error) {
    if (!isStoreError(error, 'TOO_FEW_DISKS_TO_READ')) throw error;
    await printError(error, io);
    exitCode = exitCodeOf(error);
    const places = new Map(store.document.disks.map((disk) => [disk.name, disk.path]));
    disks = (await store.disks()).map(({ disk, state }) => ({ disk, state, path: places.get(disk) ?? '' }));
  }
  const all = disks.reduce((sum, { used = 0 }) => sum + used, 0);
  if (options.json === true) {
    for (const disk of disks) {
      const share = disk.used === undefined ? undefined : shareOf(disk.used, all);
      await io.stdout.json({ ...disk, path: path.resolve(store.root, disk.path), states: statesOf(disk), share });
    }
    return exitCode;
  }
  const chalk = io.stdout.isTerminal ? new Chalk() : new Chalk({ level: 0 });
  const [head = '', ...rows] = table(disks, all);
  await io.stdout.line(chalk.dim(head));
  for (const row of rows) await io.stdout.line(row);
  for (const note of disks.flatMap(notesOf)) await io.stdout.line(printable(`  ${note}`));
  for (const line of drawDisks(disks, io.stdout.columns, chalk)) await io.stdout.line(line);
  return exitCode;
}

/** What there is to say of a disk in a word each; `online` where there is nothing else. */
export function statesOf({ state, role, isFull, staleMetas, unreadable }: ShownDisk): string[] {
  const states: string[] = [];
  if (state.status !== 'online') states.push(state.status === 'missing' ? 'offline' : state.status);
  if (role === 'joining' || role === 'draining') states.push(role);
  if (isFull === true) states.push('full');
  if ((unreadable ?? []).length > 0) states.push('failing');
  // A disk that has not got all metas yet is joining, and that says it.
  if ((staleMetas ?? 0) > 0 && role !== 'joining') states.push('stale');
  return states.length === 0 ? ['online'] : states;
}

function shareOf(used: number, all: number): number {
  return all === 0 ? 0 : used / all;
}

function notesOf({ disk, state, role, staleMetas = 0, unreadable = [] }: ShownDisk): string[] {
  const notes: string[] = [];
  if (state.status !== 'online')
    notes.push(`${disk} is ${state.status}: ${state.reason}; ${adviceFor(disk, state.status)}`);
  notes.push(...describeFailing(disk, unreadable));
  if (role === 'joining') notes.push(`${disk} has not got everything yet: "store heal" goes on with it`);
  else if (staleMetas > 0)
    notes.push(
      `${disk} lacks ${plural(staleMetas, 'meta')}, or has older or damaged copies: "store heal" brings them into step`,
    );
  return notes;
}

function describeFailing(disk: string, folders: readonly UnreadableFolder[]): string[] {
  const [first, ...more] = folders;
  if (first === undefined) return [];
  const rest = more.length === 0 ? '' : ` (and ${plural(more.length, 'more folder')})`;
  const replace = `"store disk replace ${disk} <path of an empty folder>" replaces a failing disk`;
  return [`${first.reason}${rest}; "store heal" mends what it can, ${replace}`];
}

const HEAD = ['disk', 'state', 'capacity', 'free', 'used here', 'share', 'objects', 'chunks', 'path'];

/** Columns of words; the others are numbers, to the right. */
const WORDS = new Set(['disk', 'state', 'path']);

function table(disks: readonly ShownDisk[], all: number): string[] {
  const bytes = (value: number | undefined): string => (value === undefined ? '–' : formatBytes(value));
  const count = (value: number | undefined): string => (value === undefined ? '–' : String(value));
  const cells = disks.map((shown) => {
    const { disk, total, free, used, objects, chunks } = shown;
    const share = used === undefined ? '–' : `${(shareOf(used, all) * 100).toFixed(0)}%`;
    const numbers = [bytes(total), bytes(free), bytes(used), share, count(objects), count(chunks)];
    return [disk, statesOf(shown).join(', '), ...numbers, printable(shown.path)];
  });
  const rows = [HEAD, ...cells];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string => {
    const width = widths[column] ?? 0;
    return WORDS.has(HEAD[column] ?? '') ? cell.padEnd(width) : cell.padStart(width);
  };
  return rows.map((row) => row.map(pad).join('  ').trimEnd());
}
