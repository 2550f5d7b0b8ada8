import type { Command } from 'commander';
import type { Run } from './main.ts';
import { command, rateOption, takeStaleOption } from '../input/options.ts';

/** The commands that look whether everything is as it should be, and make it so. */
export function healthCommands(run: Run): Command[] {
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
    .action(run(async () => (await import('../actions/verify.ts')).runVerify));

  const heal = command(
    'heal',
    'Bring everything back to where it should be, whole, as far as redundancy allows. Safe while the store is in use.',
    ['store heal', 'store heal --dry-run', 'store heal my-bucket --rate 50'],
  )
    .argument('[bucket/prefix]', 'everything if not given')
    .option('--dry-run', 'only tell what would be done')
    .addOption(takeStaleOption())
    .addOption(rateOption())
    .action(run(async () => (await import('../actions/heal.ts')).runHeal));

  return [verify, heal];
}
