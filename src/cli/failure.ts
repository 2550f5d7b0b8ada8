import { errnoOf, isStoreError } from '../errors.ts';
import { ANSWERS, EXIT } from './exit-codes.ts';
import { printable } from './format.ts';
import type { Io } from './io.ts';

/** Thrown by a command for a mistake in its options that commander can't see. */
export class UsageError extends Error {}

/** Writes an error to stderr in one or two lines: what is wrong with what, and what to do. */
export async function printError(error: unknown, io: Io): Promise<void> {
  const [message, hint] = describe(error);
  await io.stderr.line(`${await emphasize('error:', 'red', io)} ${printable(message)}${hint === undefined ? '' : `\n  ${hint}`}`);
}

/** Writes something that the user should know of although the command goes on. */
export async function printWarning(message: string, io: Io): Promise<void> {
  await io.stderr.line(`${await emphasize('warning:', 'yellow', io)} ${printable(message)}`);
}

export function exitCodeOf(error: unknown): number {
  return isStoreError(error) ? ANSWERS[error.code].exit : EXIT.failed;
}

function describe(error: unknown): [message: string, hint: string | undefined] {
  if (isStoreError(error)) return [error.message, ANSWERS[error.code].hint];
  const message = error instanceof Error ? error.message : String(error);
  // A system error has a reason that a person can act on; anything else is a mistake of this program.
  return [message, errnoOf(error) === undefined ? 'this is a bug; --debug shows where' : undefined];
}

async function emphasize(word: string, colour: 'red' | 'yellow', io: Io): Promise<string> {
  if (!io.stderr.isTerminal) return word;
  const { chalkStderr } = await import('chalk');
  return chalkStderr[colour](word);
}
