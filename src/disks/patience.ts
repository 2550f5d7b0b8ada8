/** A disk that has not answered after so many milliseconds counts as offline. */
export const PATIENCE_MS = 5000;

/** What `answerWithin` gives when the time is up. */
export const NO_ANSWER = Symbol('no answer');

/** The promise's outcome, or `NO_ANSWER` after so many milliseconds; whatever comes later is nobody's concern then. */
export async function answerWithin<T>(milliseconds: number, promise: Promise<T>): Promise<T | typeof NO_ANSWER> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<typeof NO_ANSWER>((resolve) => {
    timer = setTimeout(resolve, milliseconds, NO_ANSWER);
  });
  try {
    return await Promise.race([promise, patience]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => undefined);
  }
}
