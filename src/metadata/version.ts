import { UUID, uuidv7 } from 'uuidv7';

const VERSION = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The year 6429: a time beyond it is damage, and at the end of the 48 bits no later version could be minted. */
const LATEST_TIME = 2 ** 47;

/** A new id for an operation: a UUIDv7 (RFC 9562), unique, whose order means nothing. */
export function mintId(): string {
  return uuidv7();
}

/** A UUIDv7 (RFC 9562) that is later as text than `after`: of the clock's time where that is later, otherwise the next one. */
export function versionAfter(after: string | undefined): string {
  const fresh = uuidv7();
  return after === undefined || fresh > after ? fresh : successor(after);
}

/** The last of all versions of a time, so many milliseconds after that of `version`; of the last time that there is at most. */
export function versionBeyond(version: string, milliseconds: number): string {
  const time = Math.min(versionTime(version) + milliseconds, LATEST_TIME - 1);
  return UUID.fromFieldsV7(time, 0xfff, 2 ** 30 - 1, 2 ** 32 - 1).toString();
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
