import type { Command } from 'commander';
import { CommanderError } from 'commander';
import { isStoreError } from '../../errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { printable } from '../terminal/format.ts';
import { exitCodeOf, printError, UsageError } from '../terminal/failure.ts';
import { Output, type Io } from '../terminal/io.ts';
import { leave } from '../terminal/leave.ts';

/** What a command does: given its arguments, all options and the streams, it gives the exit code. */
type Action = (...given: never[]) => Promise<number>;

/** Makes what commander calls of an action, which is loaded only then: a command is declared in no time. */
export type Run = (load: () => Promise<Action>) => (this: Command) => Promise<void>;

export type CommandFactory = (io: Io, run: Run) => Command;

/** Runs a command on the process: its arguments, streams, signals and exit code. */
export async function main(factory: CommandFactory): Promise<void> {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => {
      controller.abort();
    });
  }
  const io: Io = {
    stdin: process.stdin,
    stdout: new Output(process.stdout),
    stderr: new Output(process.stderr),
    env: process.env,
    signal: controller.signal,
  };
  await leave(await run(factory, process.argv.slice(2), io), io);
}

/** Runs a command with these arguments, and tells its exit code. Never rejects. */
export async function run(factory: CommandFactory, args: readonly string[], io: Io): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = factory(
    io,
    (load) =>
      async function (this: Command) {
        // Commander has no types for arguments: that those of a command fit its action, its tests see.
        const action = (await load()) as (...given: unknown[]) => Promise<number>;
        exitCode = await action(...(this.processedArgs as unknown[]), this.optsWithGlobals(), io);
      },
  );
  let active = program;
  program.hook('preAction', (_, command) => {
    active = command;
  });
  for (const command of [program, ...program.commands.flatMap((child) => [child, ...child.commands])]) {
    prepare(command, io);
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    if (io.stdout.failure !== undefined) throw io.stdout.failure;
    return exitCode;
  } catch (error) {
    return report(error, active, args, io);
  }
}

function prepare(command: Command, io: Io): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => io.stdout.stream.write(text),
      writeErr: (text) => io.stderr.stream.write(text),
      outputError: (text, write) => {
        write(`${printable(text.trim().replaceAll('\n', ' '))}\n${usageHint(command)}\n`);
      },
    });
}

function usageHint(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  return `usage: ${names.join(' ')} ${command.usage()}   (${names.join(' ')} --help says more)`;
}

async function report(error: unknown, active: Command, args: readonly string[], io: Io): Promise<number> {
  // Commander has written its own message: help, version, or a mistake in the arguments.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.badInput;
  if (error instanceof UsageError) {
    await io.stderr.line(`error: ${printable(error.message)}\n${usageHint(active)}`);
    return EXIT.badInput;
  }
  // A disk that was given up because of the interruption has its own error.
  if (isStoreError(error, 'ABORTED') || (io.signal.aborted && isStoreError(error))) return EXIT.interrupted;
  await printError(error, io);
  if (isDebugging(args, io) && error instanceof Error) await io.stderr.line(inspect(error));
  return exitCodeOf(error);
}

function isDebugging(args: readonly string[], io: Io): boolean {
  return args.includes('--debug') || (io.env['DEBUG'] ?? '') !== '';
}

function inspect(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\ncaused by ${inspect(error.cause)}` : stack;
}
