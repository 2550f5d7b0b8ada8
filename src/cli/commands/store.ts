import type { Command } from 'commander';
import type { CommandFactory } from './main.ts';
import {
  allowStaleOption,
  command,
  durabilityOption,
  redundancyOption,
  wholeNumber,
  withCommonOptions,
  type CommonOptions,
} from '../input/options.ts';
import { diskCommand, rebalanceCommand } from './store-disk.ts';
import { healthCommands } from './store-health.ts';

export interface ListCommandOptions extends CommonOptions {
  recursive?: true;
  allowStale?: true;
}

export interface RemoveCommandOptions extends CommonOptions {
  recursive?: true;
}

export interface InitCommandOptions extends CommonOptions {
  disks?: number;
  disk?: string[];
  durability?: 'fsync' | 'none';
  redundancy?: string;
}

export interface BucketCreateCommandOptions extends CommonOptions {
  redundancy?: string;
}

export interface GcCommandOptions extends CommonOptions {
  dryRun?: true;
}

export const storeCommand: CommandFactory = (io, finish) => {
  const ls = command('ls', 'List the buckets, or the objects of a bucket, folder by folder.', [
    'store ls',
    'store ls my-bucket/2026/',
    'store ls -r my-bucket',
  ])
    .argument('[bucket/prefix]', 'all buckets if not given')
    .option('-r, --recursive', 'all objects, not folder by folder')
    .addOption(allowStaleOption())
    .action(async (address: string | undefined, _: ListCommandOptions, self: Command) => {
      const { runList } = await import('../actions/ls.ts');
      finish(await runList(address, self.optsWithGlobals<ListCommandOptions>(), io));
    });

  const stat = command('stat', "Show an object's meta, and a picture of where its chunks are.", [
    'store stat my-bucket/photo.jpg',
  ])
    .argument('<bucket/key>')
    .addOption(allowStaleOption())
    .action(async (address: string, _: ListCommandOptions, self: Command) => {
      const { runStat } = await import('../actions/stat.ts');
      finish(await runStat(address, self.optsWithGlobals<ListCommandOptions>(), io));
    });

  const rm = command('rm', 'Delete objects.', [
    'store rm my-bucket/photo.jpg my-bucket/notes.txt',
    'store rm -r my-bucket/2026/',
  ])
    .argument('<bucket/key...>', 'objects; with -r, bucket or bucket/prefix')
    .option('-r, --recursive', 'everything whose key begins with what is given')
    .action(async (addresses: string[], _: RemoveCommandOptions, self: Command) => {
      const { runRemove } = await import('../actions/rm.ts');
      finish(await runRemove(addresses, self.optsWithGlobals<RemoveCommandOptions>(), io));
    });

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
      .action(async (buckets: string[], _: BucketCreateCommandOptions, self: Command) => {
        const { runBucketCreate } = await import('../actions/bucket.ts');
        finish(await runBucketCreate(buckets, self.optsWithGlobals<BucketCreateCommandOptions>(), io));
      }),
  );
  bucket.addCommand(
    command('rm', 'Delete empty buckets.', ['store bucket rm my-bucket'])
      .argument('<bucket...>')
      .action(async (buckets: string[], _: CommonOptions, self: Command) => {
        const { runBucketRemove } = await import('../actions/bucket.ts');
        finish(await runBucketRemove(buckets, self.optsWithGlobals<CommonOptions>(), io));
      }),
  );
  bucket.addCommand(
    command('ls', 'List the buckets.', ['store bucket ls'])
      .addOption(allowStaleOption())
      .action(async (_: ListCommandOptions, self: Command) => {
        const { runList } = await import('../actions/ls.ts');
        finish(await runList(undefined, self.optsWithGlobals<ListCommandOptions>(), io));
      }),
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
    .action(async (_: InitCommandOptions, self: Command) => {
      const { runInit } = await import('../actions/init.ts');
      finish(await runInit(self.optsWithGlobals<InitCommandOptions>(), io));
    });

  const gc = command('gc', 'Reclaim what operations that died have left behind. Safe while the store is in use.', [
    'store gc --dry-run',
    'store gc',
  ])
    .option('--dry-run', 'only tell what would be removed')
    .action(async (_: GcCommandOptions, self: Command) => {
      const { runGc } = await import('../actions/gc.ts');
      finish(await runGc(self.optsWithGlobals<GcCommandOptions>(), io));
    });

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
  for (const child of [
    ls,
    stat,
    rm,
    bucket,
    init,
    ...healthCommands(io, finish),
    diskCommand(io, finish),
    rebalanceCommand(io, finish),
    gc,
  ])
    program.addCommand(child);
  return program;
};
