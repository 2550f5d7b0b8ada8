/**
 * A process that holds a lock, for tests: `hold-lock.ts <lock file> <name> <mode>`. It prints `held` once it has the
 * lock and keeps it until its standard input ends, or until it is killed.
 */
import { KernelLocks } from '../../src/locks/kernel-locks.ts';

const [file = '', name = '', mode = ''] = process.argv.slice(2);
const session = await new KernelLocks(file).open(mode === 'shared' ? 'read' : 'write');
await session.lock(name, mode === 'shared' ? 'shared' : 'exclusive');
process.stdout.write('held\n');
process.stdin.resume().on('end', () => {
  void session.close();
});
