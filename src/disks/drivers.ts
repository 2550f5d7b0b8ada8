import type { DiskDriver, DiskPlace } from './driver.ts';
import { localDriver } from './local/local-place.ts';

/** One for each kind of place, in the order in which they are asked. Any text may be a path, so folders come last. */
export const drivers: DiskDriver[] = [localDriver];

/** The place that a text means. @param base absolute path of the folder that a relative path begins at */
export function placeAt(where: string, base: string): DiskPlace {
  for (const driver of drivers) {
    const place = driver(where, base);
    if (place !== undefined) return place;
  }
  throw new TypeError(`no driver knows the place "${where}"`);
}
