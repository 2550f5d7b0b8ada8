/** Memory that calls still read from or write to although nobody waits for them any more, with what resolves when they are over. */
const lent = new Set<{ memory: Uint8Array; over: Promise<void> }>();

/** Tells that a call that was given up uses the memory until it is `over`. Several may use the same. */
export function lend(memory: Uint8Array, over: Promise<void>): void {
  const loan = { memory, over };
  lent.add(loan);
  void over.finally(() => lent.delete(loan));
}

/** Resolves when no call uses any of the memory any more; undefined where none does. Who uses memory again asks before. */
export function untilFree(memory: Uint8Array): Promise<unknown> | undefined {
  const uses = [...lent].filter((loan) => overlaps(memory, loan.memory)).map(({ over }) => over);
  return uses.length === 0 ? undefined : Promise.all(uses);
}

function overlaps(a: Uint8Array, b: Uint8Array): boolean {
  const endOf = ({ byteOffset, byteLength }: Uint8Array): number => byteOffset + byteLength;
  return a.buffer === b.buffer && a.byteOffset < endOf(b) && b.byteOffset < endOf(a);
}
