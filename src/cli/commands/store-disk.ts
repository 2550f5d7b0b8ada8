import type { Command } from 'commander';
import type { Run } from './main.ts';
import { command, rateOption, takeStaleOption } from '../input/options.ts';

/** The commands for the life of a disk. */
export function diskCommand(run: Run): Command {
  const disk = command('disk', 'Show, add, replace, empty and remove disks, while the store is in use.', [
    'store disk ls',
    'store disk add disk4 /mnt/new',
    'store disk replace disk2 /mnt/new         disk2 is lost; this empty folder takes its place',
    'store disk drain disk1 && store disk remove disk1',
  ]);
  disk.addCommand(
    command('ls', 'Show how each disk is, what is on it, and how full it is.', [
      'store disk ls',
      'store disk ls --json',
    ]).action(run(async () => (await import('../actions/disk-ls.ts')).runDiskList)),
  );
  disk.addCommand(
    command('add', 'Add an empty folder, or one that is to be made, as a disk. It is used at once.', [
      'store disk add disk4 /mnt/new',
    ])
      .argument('<name>', 'of the new disk')
      .argument('<path>', 'a folder of a size of its own; best on a device of its own')
      .action(run(async () => (await import('../actions/disk.ts')).runDiskAdd)),
  );
  disk.addCommand(
    command(
      'replace',
      'Accept an empty folder in place of a disk that is lost or failing, and heal the store. ' +
        'A disk that was moved by hand is accepted as it is.',
      [
        'store disk replace disk2                  the folder at its place is empty, or gone',
        'store disk replace disk2 /mnt/new         at another place from now on',
        'store disk replace disk2 /mnt/new --failing   it answers, but cannot read all of its chunks',
      ],
    )
      .argument('<name>', 'of the disk, as "store disk ls" shows it')
      .argument('[path]', 'where it is; where it was if not given')
      .option(
        '--failing',
        'the disk answers, and a look at it finds nothing wrong, but it is failing: replace it all the same. ' +
          'What can be read only with it must be moved off before ("store disk drain")',
      )
      .option('--no-heal', 'only accept it; "store heal" heals it later')
      .addOption(takeStaleOption())
      .addOption(rateOption())
      .action(run(async () => (await import('../actions/disk.ts')).runDiskReplace)),
  );
  disk.addCommand(
    command('drain', 'Move everything off a disk, and put nothing more on it.', [
      'store disk drain disk2',
      'store disk drain disk2 --cancel',
    ])
      .argument('<name>', 'of the disk, as "store disk ls" shows it')
      .addOption(rateOption())
      .option('--cancel', 'let it take chunks again')
      .action(run(async () => (await import('../actions/move.ts')).runDiskDrain)),
  );
  disk.addCommand(
    command('remove', 'Take a drained disk out of the store. Its folder stays.', ['store disk remove disk2'])
      .argument('<name>', 'of the disk, as "store disk ls" shows it')
      .action(run(async () => (await import('../actions/disk.ts')).runDiskRemove)),
  );
  return disk;
}

export function rebalanceCommand(run: Run): Command {
  return command('rebalance', 'Move chunks from disks that hold more than their share to those that hold less.', [
    'store rebalance --rate 50',
  ])
    .addOption(rateOption())
    .action(run(async () => (await import('../actions/move.ts')).runRebalance));
}
