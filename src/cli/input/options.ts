import { createRequire } from 'node:module';
import { Command, InvalidArgumentError, Option } from 'commander';
import { EXIT_CODES_HELP } from '../terminal/exit-codes.ts';
import type { Io } from '../terminal/io.ts';

export const ROOT_VARIABLE = 'MINI_OBJECT_STORE_ROOT';
/** Seconds after which a disk that does not answer counts as hanging. */
export const PATIENCE_VARIABLE = 'MINI_OBJECT_STORE_PATIENCE';
export const DEFAULT_ROOT = 'storage_nodes';

/** Options that every command has. */
export interface CommonOptions {
  root: string;
  json?: true;
  quiet?: true;
  debug?: true;
}

/** A command with its examples and the exit codes at the end of its help. */
export function command(name: string, description: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(description)
    .helpOption('-h, --help', 'show this help')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}\n${EXIT_CODES_HELP}`);
}

/** Adds the options that every command has; subcommands see them through `optsWithGlobals`. */
export function withCommonOptions(command: Command, io: Io): Command {
  return command
    .version(packageVersion(), '--version', 'show the version')
    .addOption(
      new Option('--root <dir>', `the store's folder (env ${ROOT_VARIABLE})`).default(rootFrom(io)).argParser(notEmpty),
    )
    .option('--json', 'results as JSON, one object a line')
    .option('--debug', 'show where an error came from (env DEBUG)');
}

/** An empty variable is no name, as the shell's `${NAME:-default}` has it. */
function rootFrom(io: Io): string {
  const root = io.env[ROOT_VARIABLE];
  return root === undefined || root === '' ? DEFAULT_ROOT : root;
}

function notEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must not be empty.');
  return text;
}

function packageVersion(): string {
  const description: unknown = createRequire(import.meta.url)('#package.json');
  const hasVersion = typeof description === 'object' && description !== null && 'version' in description;
  return hasVersion ? String(description.version) : 'unknown';
}

export function concurrencyOption(): Option {
  return new Option('--concurrency <n>', 'chunks in flight; with parity about twice as many')
    .argParser(wholeNumber(1, 256))
    .default(8);
}

export function allowStaleOption(): Option {
  return new Option('--allow-stale', 'read even where too few disks answer to be sure of the newest version');
}

export function takeStaleOption(): Option {
  return new Option(
    '--allow-stale',
    'take what the disks that are left say for the newest, even where they are too few to be sure',
  );
}

export function durabilityOption(): Option {
  return new Option(
    '--durability <how>',
    "fsync: done means on stable storage; none: handed to the system (default: the store's setting)",
  ).choices(['fsync', 'none']);
}

export function redundancyOption(whose: string): Option {
  return new Option(
    '--redundancy <k+m>',
    `${whose}: k chunks and m parity chunks a stripe, so that any m disks may be lost`,
  );
}

/** MiB a second; a rate that is slower would only be a way to wait. */
const LEAST_RATE = 0.01;

/** Its value is in bytes a second. */
export function rateOption(): Option {
  return new Option('--rate <MiB/s>', 'read and write so much a second at most').argParser((text) => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && value >= LEAST_RATE) return value * 1024 * 1024;
    throw new InvalidArgumentError(
      `A number of MiB per second is needed, such as 50 or 0.5, and at least ${LEAST_RATE}.`,
    );
  });
}

/** A parser of whole numbers from `least` to `most`. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`A whole number from ${least} to ${most} is needed.`);
  };
}
