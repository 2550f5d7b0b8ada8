import { errnoOf, isShortage, isStoreError, type StoreError } from '../../errors.ts';
import { ANSWERS, EXIT } from './exit-codes.ts';
import { printable } from './format.ts';
import type { Io } from './io.ts';

/** Thrown by a command for a mistake in its options that commander can't see. */
export class UsageError extends Error {}

/** Writes an error to stderr in one or two lines: what is wrong with what, and what to do. */
export async function printError(error: unknown, io: Io): Promise<void> {
  const [message, hint] = describe(error);
  const advice = hint === undefined ? '' : `\n  ${hint}`;
  await io.stderr.line(`${await emphasize('error:', 'red', io)} ${printable(message)}${advice}`);
}

/** Writes something that the user should know of although the command goes on. */
export async function printWarning(message: string, io: Io): Promise<void> {
  await io.stderr.line(`${await emphasize('warning:', 'yellow', io)} ${printable(message)}`);
}

/** Warnings that are shown one by one; where there are more, their number tells enough. */
const SHOWN = 10;

/** The same for many, never a flood of them. */
export async function printWarnings(messages: readonly string[], io: Io): Promise<void> {
  for (const message of messages.slice(0, SHOWN)) await printWarning(message, io);
  if (messages.length > SHOWN) await printWarning(`… and ${messages.length - SHOWN} more like these`, io);
}

/** Writes a quiet line about what could be done next: for people at a terminal only. */
export async function printNote(message: string, io: Io): Promise<void> {
  if (!io.stderr.isTerminal) return;
  const { chalkStderr } = await import('chalk');
  await io.stderr.line(chalkStderr.dim(printable(message)));
}

export function exitCodeOf(error: unknown): number {
  return isStoreError(error) ? ANSWERS[error.code].exit : EXIT.failed;
}

function describe(error: unknown): [message: string, hint: string | undefined] {
  if (isStoreError(error)) return [error.message, hintFor(error)];
  const message = error instanceof Error ? error.message : String(error);
  // A part of the program that could not even be loaded.
  if (isShortage(error)) return [message, ANSWERS.OUT_OF_RESOURCES.hint];
  // A system error has a reason that a person can act on; anything else is a mistake of this program.
  return [message, errnoOf(error) === undefined ? 'this is a bug; --debug shows where' : undefined];
}

function hintFor({ code, details }: StoreError): string | undefined {
  // The same code for the store's folder and for a disk's: one begins with --root, the other does not.
  if (code === 'BAD_ROOT' && details.disk !== undefined) return 'a disk begins as an empty folder';
  // The disk is there; it is the file that is not, or can't be read.
  if (code === 'CHUNK_UNAVAILABLE' && details.fault !== 'offline')
    return 'upload the object again, or bring the file back from a backup; "store verify" tells what else is lost';
  return ANSWERS[code].hint;
}

async function emphasize(word: string, colour: 'red' | 'yellow', io: Io): Promise<string> {
  if (!io.stderr.isTerminal) return word;
  const { chalkStderr } = await import('chalk');
  return chalkStderr[colour](word);
}
