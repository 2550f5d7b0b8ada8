import { UUID, uuidv7 } from 'uuidv7';

const VERSION = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The year 6429: a time beyond it is damage, and at the end of the 48 bits no later version could be minted. */
const LATEST_TIME = 2 ** 47;

/**
 * A new version id: UUIDv7 (RFC 9562), so that versions sort by time as text. With `after`, it is later than that one
 * even where the clock has gone back since.
 */
export function mintVersion(after?: string): string {
  const fresh = uuidv7();
  return after === undefined || fresh > after ? fresh : successor(after);
}

/** The next UUIDv7 after this one: time, `rand_a` and `rand_b` counted up as one number of 48 + 12 + 62 bits. */
function successor(version: string): string {
  const digits = version.replaceAll('-', '');
  const time = BigInt(`0x${digits.slice(0, 12)}`);
  const randA = BigInt(`0x${digits.slice(13, 16)}`);
  const randB = BigInt.asUintN(62, BigInt(`0x${digits.slice(16)}`));
  const next = ((time << 74n) | (randA << 62n) | randB) + 1n;
  const low = BigInt.asUintN(62, next);
  return UUID.fromFieldsV7(
    Number(next >> 74n),
    Number(BigInt.asUintN(12, next >> 62n)),
    Number(low >> 32n),
    Number(BigInt.asUintN(32, low)),
  ).toString();
}

export function isVersion(text: string): boolean {
  return VERSION.test(text) && versionTime(text) < LATEST_TIME;
}

/** Milliseconds since 1970 at which the version was minted. */
export function versionTime(version: string): number {
  return Number.parseInt(version.slice(0, 8) + version.slice(9, 13), 16);
}
