import { expect, describe, it } from 'vitest';
import type { DiskPlace } from '../../src/disks/driver.ts';
import { placeAt } from '../../src/disks/drivers.ts';
import type { DiskIdentity } from '../../src/disks/identity.ts';

const FOLDERS = ['buckets', 'chunks', 'tmp'];

const identity = (name: string): DiskIdentity => ({
  storeId: '11111111-1111-4111-8111-111111111111',
  name,
  id: '22222222-2222-4222-8222-222222222222',
});

/**
 * The contract of `src/disks/driver.ts` as tests.
 *
 * @param make the name of a place where nothing is
 */
export function describePlaces(kind: string, make: () => string): void {
  describe(`contract of a place for a disk: ${kind}`, () => {
    const prepared = async (place: DiskPlace): Promise<() => Promise<void>> => {
      await place.checkFree('disk1', FOLDERS);
      return place.prepare(identity('disk1'), FOLDERS);
    };
    const at = (where = make()): DiskPlace => placeAt(where, '/');
    const statusOf = async (place: DiskPlace, name = 'disk1'): Promise<string> =>
      (await place.open(identity(name)).state()).status;

    it('is found by its own name', () => {
      const place = at();
      expect(at(place.where).where).toBe(place.where);
    });

    it('has nothing where nothing has been made, and answers', async () => {
      const place = at();
      expect(await place.isMissing()).toBe(true);
      expect(await place.mark()).toBeUndefined();
      expect(await place.isEmpty('buckets')).toBe(true);
      expect(await place.realName()).toBe(place.where);
      await place.tryOut();
      expect(await statusOf(place)).not.toBe('online');
    });

    it('becomes a disk, and whoever opens it finds the same one, with all that has been written', async () => {
      const place = at();
      await prepared(place);
      expect(await place.isMissing()).toBe(false);
      expect(await place.mark()).toEqual(identity('disk1'));
      expect(await statusOf(place)).toBe('online');
      const staged = await place
        .open(identity('disk1'))
        .stage('buckets/b/file', Buffer.from('x'), { id: 'id', within: 'buckets', durable: true });
      await staged.publish();
      expect(String(await at(place.where).open(identity('disk1')).read('buckets/b/file'))).toBe('x');
      expect(await place.isEmpty('buckets')).toBe(false);
      expect(await place.isEmpty('chunks')).toBe(true);
    });

    it('is not free any more then, for whatever disk; and is known for the one that it is', async () => {
      const place = at();
      await prepared(place);
      const taken = { code: 'BAD_ROOT', details: { disk: 'disk2', path: place.where } };
      await expect(place.checkFree('disk2', FOLDERS)).rejects.toMatchObject(taken);
      await expect(place.prepare(identity('disk2'), FOLDERS)).rejects.toMatchObject(taken);
      expect(await place.mark()).toEqual(identity('disk1'));
      expect(await statusOf(place, 'disk2')).toBe('swapped');
    });

    it('can be prepared again by who was interrupted', async () => {
      const place = at();
      await prepared(place);
      await place.prepare(identity('disk1'), FOLDERS);
      expect(await statusOf(place)).toBe('online');
    });

    it('is free again when what has been made is taken back', async () => {
      const place = at();
      const undo = await prepared(place);
      await undo();
      expect(await place.mark()).toBeUndefined();
      await prepared(place);
      expect(await statusOf(place)).toBe('online');
    });

    it('loses all that is in a folder when that is cleared, and nothing else', async () => {
      const place = at();
      await prepared(place);
      const disk = place.open(identity('disk1'));
      for (const path of ['buckets/b/file', 'buckets/file', 'chunks/file'])
        await (
          await disk.stage(path, Buffer.from(path), { id: 'id', within: path.split('/')[0] ?? '', durable: true })
        ).publish();
      await place.clear('buckets');
      expect(await place.isEmpty('buckets')).toBe(true);
      expect(await disk.list('buckets')).toEqual([]);
      expect(String(await disk.read('chunks/file'))).toBe('chunks/file');
      expect(await statusOf(place)).toBe('online');
    });
  });
}
