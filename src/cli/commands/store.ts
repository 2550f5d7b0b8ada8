import type { CommandFactory } from './main.ts';
import {
  allowStaleOption,
  command,
  durabilityOption,
  redundancyOption,
  wholeNumber,
  withCommonOptions,
} from '../input/options.ts';
import { diskCommand, rebalanceCommand } from './store-disk.ts';
import { healthCommands } from './store-health.ts';

export const storeCommand: CommandFactory = (io, run) => {
  const ls = command('ls', 'List the buckets, or the objects of a bucket, folder by folder.', [
    'store ls',
    'store ls my-bucket/2026/',
    'store ls -r my-bucket',
  ])
    .argument('[bucket/prefix]', 'all buckets if not given')
    .option('-r, --recursive', 'all objects, not folder by folder')
    .addOption(allowStaleOption())
    .action(run(async () => (await import('../actions/ls.ts')).runList));

  const stat = command('stat', "Show an object's meta, and a picture of where its chunks are.", [
    'store stat my-bucket/photo.jpg',
  ])
    .argument('<bucket/key>')
    .addOption(allowStaleOption())
    .action(run(async () => (await import('../actions/stat.ts')).runStat));

  const rm = command('rm', 'Delete objects.', [
    'store rm my-bucket/photo.jpg my-bucket/notes.txt',
    'store rm -r my-bucket/2026/',
  ])
    .argument('<bucket/key...>', 'objects; with -r, bucket or bucket/prefix')
    .option('-r, --recursive', 'everything whose key begins with what is given')
    .action(run(async () => (await import('../actions/rm.ts')).runRemove));

  const bucket = command('bucket', 'Create, delete and list buckets.', [
    'store bucket create my-bucket',
    'store bucket rm my-bucket',
    'store bucket ls',
  ]);
  bucket.addCommand(
    command('create', 'Create buckets.', [
      'store bucket create my-bucket',
      'store bucket create my-bucket --redundancy 4+2',
    ])
      .argument('<bucket...>')
      .addOption(redundancyOption("of objects in them, instead of the store's"))
      .action(run(async () => (await import('../actions/bucket.ts')).runBucketCreate)),
  );
  bucket.addCommand(
    command('rm', 'Delete empty buckets.', ['store bucket rm my-bucket'])
      .argument('<bucket...>')
      .action(run(async () => (await import('../actions/bucket.ts')).runBucketRemove)),
  );
  bucket.addCommand(
    command('ls', 'List the buckets.', ['store bucket ls'])
      .addOption(allowStaleOption())
      .action(run(async () => (await import('../actions/ls.ts')).runBucketList)),
  );

  const init = command(
    'init',
    'Make a store. Without options, empty folders named disk… in it become its disks, or three are made.',
    ['store init --disks 5 --redundancy 3+2', 'store init --disk fast=/mnt/nvme --disk big=/mnt/hdd --root /srv/store'],
  )
    .option('--disks <n>', 'make this many disks', wholeNumber(1, 256))
    .option(
      '--disk <name=path>',
      'a disk and its folder, empty or to be made; may be repeated',
      (text: string, before: string[] | undefined) => [...(before ?? []), text],
    )
    .addOption(redundancyOption('of objects whose bucket has none of its own (default: 1+0)'))
    .addOption(durabilityOption())
    .action(run(async () => (await import('../actions/init.ts')).runInit));

  const gc = command('gc', 'Reclaim what operations that died have left behind. Safe while the store is in use.', [
    'store gc --dry-run',
    'store gc',
  ])
    .option('--dry-run', 'only tell what would be removed')
    .action(run(async () => (await import('../actions/gc.ts')).runGc));

  const program = withCommonOptions(
    command('store', 'Look after a store: its objects, buckets and disks.', [
      'store ls -r my-bucket',
      'store stat my-bucket/photo.jpg',
      'store verify',
      'store heal',
      'store disk ls',
    ]),
    io,
  );
  for (const child of [ls, stat, rm, bucket, init, ...healthCommands(run), diskCommand(run), rebalanceCommand(run), gc])
    program.addCommand(child);
  return program;
};
