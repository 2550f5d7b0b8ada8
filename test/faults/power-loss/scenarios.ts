import { seededBytes } from '../../support/bytes.ts';
import * as c from './commands.ts';
import { MANY } from './commands.ts';
import { CARE_STORES as CARE, GARBAGE, having, NO_BUCKET, NO_STORE, scenario, type Scenario } from './scenario.ts';

const OLD = seededBytes(3500, 'old');
const KEPT = seededBytes(1200, 'kept');

const kept = having({ kept: KEPT });
const object = having({ demo: OLD, kept: KEPT });
const nested = having({ 'a/b/demo': OLD, kept: KEPT });
const emptyBucket = having({});
const many = having({ ...MANY, kept: KEPT });
const older = having({
  ...Object.fromEntries(Object.keys(MANY).map((key) => [key, seededBytes(100, `old ${key}`)])),
  kept: KEPT,
});

/** One command each, and the power goes while it runs or afterwards. */
export const SINGLE: readonly Scenario[] = [
  scenario('the first upload of all', NO_STORE, [c.firstUpload('demo')]),
  scenario('the first upload of all, of several chunks', NO_STORE, [c.firstUpload('demo', 'large')]),
  scenario('init', NO_STORE, [c.init]),
  scenario('the upload that makes the bucket', NO_BUCKET, [c.upload('demo')]),
  scenario('an upload', kept, [c.upload('demo')]),
  scenario('an upload with a nested key', kept, [c.upload('a/b/demo')]),
  scenario('an upload of several chunks', kept, [c.upload('demo', 'large')]),
  scenario('an overwrite', object, [c.upload('demo')]),
  scenario('an upload of many small files', kept, [c.uploadMany]),
  scenario('an overwrite of many small objects', older, [c.uploadMany]),
  scenario('the first upload of all, of many small files', NO_STORE, [
    { ...c.uploadMany, effect: { ...c.uploadMany.effect, disks: c.THREE } },
  ]),
  scenario('rm -r of many small objects', many, [c.removeMany]),
  scenario('rm', object, [c.remove('demo')]),
  scenario('rm of a nested key', nested, [c.remove('a/b/demo')]),
  scenario('rm -r', nested, [c.removeAll('', 'a/b/demo', 'kept')]),
  scenario('bucket create', NO_BUCKET, [c.bucketCreate]),
  scenario('bucket rm', emptyBucket, [c.bucketRemove]),
  scenario('gc', GARBAGE, [c.gc]),
  scenario('an overwrite with 2+1', CARE.overwrite, [c.upload('demo', 'large', ['--redundancy', '2+1'])]),
  scenario('an upload with 1+1', CARE.mirror, [c.upload('demo', 'large', ['--redundancy', '1+1'])]),
  scenario('rm while a disk is away', CARE.away, [c.remove('deep/stripes')]),
  scenario('heal of damaged chunks and metas', CARE.damaged, [c.heal]),
  scenario('heal of a disk that comes back stale', CARE.stale, [c.heal]),
  scenario('heal of a replaced disk', CARE.replaced, [c.heal]),
  scenario('heal of small objects of a replaced disk', CARE.small, [c.heal]),
  scenario('disk replace', CARE.lost, [c.diskReplace('disk2')]),
  scenario('disk replace that only accepts it', CARE.lost, [c.diskReplace('disk2', '--no-heal')]),
  scenario('disk add', CARE.three, [c.diskAdd('disk4')]),
  scenario('disk drain, disk remove', CARE.four, [c.diskDrain('disk1'), c.diskRemove('disk1')], { whole: true }),
  scenario('rebalance', CARE.uneven, [c.rebalance]),
];

/** The first command is killed, the next one runs to its end and rests on what the first has left; then the power goes. */
export const SEQUENCES: readonly Scenario[] = [
  scenario('rm killed, rm', object, [c.remove('demo'), c.remove('demo')], { thorough: true }),
  scenario('rm killed, rm -r', object, [c.remove('demo'), c.removeAll('demo', 'demo')], { thorough: true }),
  scenario('rm killed, gc', object, [c.remove('demo'), c.gc], { thorough: true }),
  scenario('rm killed, heal', object, [c.remove('demo'), c.heal]),
  scenario('rm killed, upload of the key', object, [c.remove('demo'), c.upload('demo')]),
  scenario('rm of a nested key killed, rm', nested, [c.remove('a/b/demo'), c.remove('a/b/demo')]),
  scenario('rm of a nested key killed, gc', nested, [c.remove('a/b/demo'), c.gc]),
  scenario('rm -r killed, rm -r', nested, [c.removeAll('', 'a/b/demo', 'kept'), c.removeAll('', 'a/b/demo', 'kept')]),
  scenario('rm while a disk is away killed, rm', CARE.away, [c.remove('deep/stripes'), c.remove('deep/stripes')]),
  scenario('upload of many small files killed, gc', kept, [c.uploadMany, c.gc]),
  scenario('upload of many small files killed, the same upload', kept, [c.uploadMany, c.uploadMany]),
  scenario('overwrite of many small objects killed, heal', older, [c.uploadMany, c.heal]),
  scenario('overwrite of many small objects killed, rm -r', older, [c.uploadMany, c.removeMany]),
  scenario('rm -r of many small objects killed, gc', many, [c.removeMany, c.gc]),
  scenario('upload killed, gc', kept, [c.upload('demo'), c.gc]),
  scenario('upload killed, rm', kept, [c.upload('demo'), c.remove('demo')]),
  scenario('upload killed, upload of the key', kept, [c.upload('demo', 'large'), c.upload('demo')]),
  scenario('upload killed, upload of another key', kept, [c.upload('demo'), c.upload('another', 'other')]),
  scenario(
    'upload with a nested key killed, upload beside it',
    kept,
    [c.upload('a/b/demo'), c.upload('a/b/another', 'other')],
    { thorough: true },
  ),
  scenario('overwrite killed, gc', object, [c.upload('demo'), c.gc], { thorough: true }),
  scenario('overwrite killed, rm', object, [c.upload('demo'), c.remove('demo')]),
  scenario('overwrite killed, overwrite', object, [c.upload('demo', 'large'), c.upload('demo')]),
  scenario('overwrite killed, heal', object, [c.upload('demo'), c.heal]),
  scenario('overwrite with 2+1 killed, heal', CARE.overwrite, [
    c.upload('demo', 'large', ['--redundancy', '2+1']),
    c.heal,
  ]),
  scenario('first upload killed, upload', NO_STORE, [c.firstUpload('demo'), c.firstUpload('another', 'other')], {
    thorough: true,
  }),
  scenario('first upload killed, the same upload', NO_STORE, [c.firstUpload('demo'), c.firstUpload('demo')]),
  scenario('init killed, upload', NO_STORE, [c.init, c.firstUpload('demo')]),
  scenario('init killed, init', NO_STORE, [c.init, c.init]),
  scenario('bucket create killed, upload', NO_BUCKET, [c.bucketCreate, c.upload('demo')], { thorough: true }),
  scenario('bucket create killed, bucket create', NO_BUCKET, [c.bucketCreate, c.bucketCreate]),
  scenario('bucket create killed, gc', NO_BUCKET, [c.bucketCreate, c.gc]),
  scenario('bucket rm killed, bucket rm', emptyBucket, [c.bucketRemove, c.bucketRemove], { thorough: true }),
  scenario('bucket rm killed, upload', emptyBucket, [c.bucketRemove, c.upload('demo')]),
  scenario('bucket rm killed, gc', emptyBucket, [c.bucketRemove, c.gc]),
  scenario('gc killed, gc', GARBAGE, [c.gc, c.gc]),
  scenario('gc killed, upload', GARBAGE, [c.gc, c.upload('demo')]),
  scenario('disk add killed, upload', CARE.three, [c.diskAdd('disk4'), c.upload('demo')]),
  scenario('disk add killed, heal', CARE.three, [c.diskAdd('disk4'), c.heal]),
  scenario('disk add killed, disk add', CARE.three, [c.diskAdd('disk4'), c.diskAdd('disk4')]),
  scenario('disk replace killed, upload', CARE.lost, [c.diskReplace('disk2', '--no-heal'), c.upload('demo')]),
  scenario('disk replace killed, heal', CARE.lost, [c.diskReplace('disk2', '--no-heal'), c.heal]),
  scenario('disk replace killed, disk replace', CARE.lost, [
    c.diskReplace('disk2', '--no-heal'),
    c.diskReplace('disk2', '--no-heal'),
  ]),
  scenario('heal killed, heal', CARE.damaged, [c.heal, c.heal]),
  scenario('heal killed, gc', CARE.damaged, [c.heal, c.gc]),
  scenario('heal of a replaced disk killed, heal', CARE.replaced, [c.heal, c.heal]),
  scenario('heal of small objects of a replaced disk killed, heal', CARE.small, [c.heal, c.heal]),
  scenario('heal of a stale disk killed, heal', CARE.stale, [c.heal, c.heal]),
  scenario('disk drain killed, disk drain', CARE.four, [c.diskDrain('disk1'), c.diskDrain('disk1')]),
  scenario('disk drain killed, gc', CARE.four, [c.diskDrain('disk1'), c.gc]),
  scenario('disk remove killed, disk remove', CARE.drained, [c.diskRemove('disk1'), c.diskRemove('disk1')]),
  scenario('rebalance killed, rebalance', CARE.uneven, [c.rebalance, c.rebalance]),
  scenario('rebalance killed, gc', CARE.uneven, [c.rebalance, c.gc]),
];
