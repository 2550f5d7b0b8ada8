import { describe, expect, it } from 'vitest';
import type { Disk } from '../../src/disks/disk.ts';
import { keyToPath, prefixToFolder } from '../../src/metadata/key-path.ts';
import { readKeyLevel } from '../../src/metadata/key-tree.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { makeDisk } from '../disks/make-disks.ts';
import { anyKey, fc } from './property.ts';

const BUCKET = 'buckets/my-bucket';

async function store(disk: Disk, key: string): Promise<void> {
  const staged = await disk.stage(`${BUCKET}/${keyToPath(key).join('/')}`, Buffer.from(key), {
    id: 'id',
    within: BUCKET,
    durable: false,
  });
  await staged.publish();
}

/** All keys below a level, as a listing finds them: level by level. */
async function keysBelow(disks: readonly Disk[], base = ''): Promise<string[]> {
  const level = await readKeyLevel(disks, [BUCKET, ...prefixToFolder(base)].join('/'), base);
  const keys: string[] = [];
  for (const node of level.nodes) {
    if (node.folder === undefined) keys.push(node.name);
    else keys.push(...(await keysBelow(node.disks, node.name)));
  }
  return keys;
}

describe('the tree of keys', () => {
  it('holds exactly the keys that were stored, whatever they are, each once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(anyKey, { maxLength: 12 }), async (keys) => {
        const disk = new MemoryDisk('memory1');
        for (const key of keys) await store(disk, key);
        expect((await keysBelow([disk])).sort()).toEqual([...keys].sort());
      }),
      { numRuns: 150 },
    );
  });

  it('holds keys of any kind on a local disk too', async () => {
    const { disk } = makeDisk();
    await disk.makeFolder(BUCKET);
    const keys = fc.sample(fc.uniqueArray(anyKey, { minLength: 60, maxLength: 60 }), 1).flat();
    for (const key of keys) await store(disk, key);
    expect((await keysBelow([disk])).sort()).toEqual([...keys].sort());
  });

  it('says which disks have a key or folder, and takes one that any of them has', async () => {
    const [one, two] = [new MemoryDisk('disk1'), new MemoryDisk('disk2')];
    await store(one, 'on-one');
    await store(two, 'on-two');
    await store(one, 'both/a');
    await store(two, 'both/b');
    const { nodes } = await readKeyLevel([one, two], BUCKET, '');
    const found = nodes.map(({ name, disks }) => [name, ...disks.map((disk) => disk.name)]).sort();
    expect(found).toEqual([
      ['both/', 'disk1', 'disk2'],
      ['on-one', 'disk1'],
      ['on-two', 'disk2'],
    ]);
  });

  it('counts a long segment to the level where it begins, and names the folders that carry it on', async () => {
    const disk = new MemoryDisk('disk1');
    const long = 'x'.repeat(450);
    await store(disk, `a/${long}`);
    await store(disk, `a/${long}/below`);
    const { nodes, parts } = await readKeyLevel([disk], `${BUCKET}/a`, 'a/');
    expect(nodes.map(({ name }) => name).sort()).toEqual([`a/${long}`, `a/${long}/`]);
    const part = `${BUCKET}/a/${'x'.repeat(200)}%`;
    expect(parts.map(({ folder }) => folder).sort()).toEqual([part, `${part}/${'x'.repeat(200)}%`]);
  });

  it('passes over what no key has as its path', async () => {
    const disk = new MemoryDisk('disk1');
    await store(disk, 'key');
    for (const name of ['.bucket.json', 'notes.txt', 'lost+found/.x/y', 'key.meta.json~', '%41.meta.json']) {
      await disk.create(`${BUCKET}/${name}`, Buffer.from('x'));
    }
    expect(await keysBelow([disk])).toEqual(['key']);
  });
});
