import type { Command } from 'commander';
import type { Io } from '../terminal/io.ts';
import { command, rateOption, takeStaleOption, type CommonOptions } from '../input/options.ts';

export interface VerifyCommandOptions extends CommonOptions {
  quick?: true;
}

export interface HealCommandOptions extends CommonOptions {
  dryRun?: true;
  allowStale?: true;
  /** MiB a second. */
  rate?: number;
}

/** The commands that look whether everything is as it should be, and make it so. */
export function healthCommands(io: Io, finish: (exitCode: number) => void): Command[] {
  const verify = command(
    'verify',
    'Read every chunk, parity chunk and meta, and tell what is not as it should be. Ends with 0 only if all is whole.',
    [
      'store verify',
      'store verify my-bucket/2026/',
      'store verify --quick                      only look whether files are there, and as long as they should be',
    ],
  )
    .argument('[bucket/prefix]', 'everything if not given')
    .option('--quick', 'only look for files and their sizes, read nothing')
    .action(async (address: string | undefined, _: VerifyCommandOptions, self: Command) => {
      const { runVerify } = await import('../actions/verify.ts');
      finish(await runVerify(address, self.optsWithGlobals<VerifyCommandOptions>(), io));
    });

  const heal = command(
    'heal',
    'Bring everything back to where it should be, whole, as far as redundancy allows. Safe while the store is in use.',
    ['store heal', 'store heal --dry-run', 'store heal my-bucket --rate 50'],
  )
    .argument('[bucket/prefix]', 'everything if not given')
    .option('--dry-run', 'only tell what would be done')
    .addOption(takeStaleOption())
    .addOption(rateOption())
    .action(async (address: string | undefined, _: HealCommandOptions, self: Command) => {
      const { runHeal } = await import('../actions/heal.ts');
      finish(await runHeal(address, self.optsWithGlobals<HealCommandOptions>(), io));
    });

  return [verify, heal];
}
