/**
 * Runs `work` as a user whom file modes bind: root, as whom containers run, may write whatever the modes say. Needs a
 * process of its own (vitest's `forks`), because the user is the whole process's.
 */
export async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  const { geteuid, seteuid } = process;
  if (geteuid === undefined || seteuid === undefined) throw new Error('these tests need the users of a Unix system');
  const before = geteuid();
  if (before !== 0) return work();
  seteuid(65534);
  try {
    return await work();
  } finally {
    seteuid(before);
  }
}
