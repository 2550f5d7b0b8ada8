/**
 * Runs `work` in `count` workers at a time, each again and again until it gives false. When one fails, no other begins
 * anew, and the failure is reported only when all are at rest: nobody is at work any more on what the caller then
 * closes or removes.
 */
export async function runWorkers(count: number, work: () => Promise<boolean>): Promise<void> {
  let failed = false;
  const worker = async (): Promise<void> => {
    try {
      while (!failed && (await work()));
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: count }, worker));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
