import { answerWithin, NO_ANSWER, type Waiting } from './patience.ts';

/** Threads that Node does file work with. A call to a disk that hangs keeps one for itself. */
const THREADS = Math.max(1, Number(process.env['UV_THREADPOOL_SIZE'] ?? '') || 4);

/** How many calls of one disk may be under way, so that a thread is left for the others while `hanging` disks hang. */
export function callsAtOnce(hanging: number): number {
  return hanging === 0 ? THREADS : Math.max(1, Math.floor(THREADS / (hanging + 1)));
}

let underWay = 0;

/**
 * How many calls to disks, of all stores of this process, have not returned, whether or not somebody waits for them. As
 * long as there is one, the process does not end by itself.
 */
export function callsUnderWay(): number {
  return underWay;
}

/** How calls that share a few threads take turns at them. Whoever asks for a turn here has one at that moment. */
export interface Turns {
  /** Waits, and lets others have the turn meanwhile. */
  rest<T>(wait: Promise<T>): Promise<T>;
  /** Works in a turn of its own, when all who have come before have had theirs. */
  take<T>(work: () => Promise<T>): Promise<T>;
}

/** For who needs none. */
export const NO_TURNS: Turns = { rest: (wait) => wait, take: (work) => work() };

export interface GatedCall<T> {
  call: () => Promise<T>;
  waiting: Waiting;
  /** Has its turn only when nobody waits who does not give way: of such calls many may wait at once, and each may take long. */
  givesWay?: boolean | undefined;
  /** Needs no turn, because it keeps none of the threads that others need; given up, it makes the disk hang like any other. */
  isBeside?: boolean | undefined;
  /** What the caller is told when the call is given up, or may not begin because the disk hangs. */
  refusal: () => Error;
  /** Called when the call is given up, with what resolves when it is over. The caller is told when this resolves. */
  onGivenUp?: ((over: Promise<void>) => Promise<void>) | undefined;
  /** Ends what a call had begun that returns after it was given up. */
  late?: ((outcome: T) => Promise<unknown>) | undefined;
}

interface InQueue {
  enter: () => void;
  /** Undefined for a call that was inside before. */
  refuse: (() => void) | undefined;
}

/** So many calls go before one that gives way, if they come without end. */
const MOST_OVERTAKING = 16;

interface Entering extends Partial<Pick<GatedCall<unknown>, 'refusal' | 'givesWay'>> {
  isFirst?: boolean;
}

/**
 * The way to one disk: lets in so many calls at once, and gives up those that do not return in time. A call that was
 * given up keeps its turn, because it keeps its thread. As long as there is one, the disk hangs: calls that wait in
 * front of the gate are sent away without having begun, and so are those that come.
 */
export class CallGate implements Turns {
  readonly #limit: () => number;
  #inside = 0;
  #givenUp = 0;
  /** Calls that have left their turn to others, and wait for a sync that they share. */
  #resting = 0;
  #ended = 0;
  #queue: InQueue[] = [];
  /** Those that give way to all in the queue. */
  #later: InQueue[] = [];
  /** How many have passed since one of those had its turn. */
  #overtaking = 0;

  /** @param limit calls at once; it may change */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Whether a call has been given up and has not returned. */
  get isHanging(): boolean {
    return this.#givenUp > 0;
  }

  /** Counts what has come back: while this grows, a call in front of the gate waits for others, and not in vain. */
  get ended(): number {
    return this.#ended;
  }

  /** Makes the call when it is its turn. @throws what the call throws, or the refusal */
  async pass<T>({ call, waiting, givesWay, isBeside, refusal, onGivenUp, late }: GatedCall<T>): Promise<T> {
    if (this.isHanging) throw refusal();
    if (isBeside !== true) await this.#enter({ refusal, givesWay });
    underWay++;
    let isGivenUp = false;
    let resolveOver: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (resolveOver = resolve));
    const end = (): void => {
      if (isGivenUp) this.#givenUp--;
      underWay--;
      this.#ended++;
      if (isBeside !== true) this.#leave();
      resolveOver();
    };
    const running = (async () => call())();
    let outcome: T | typeof NO_ANSWER;
    let seen = this.#ended;
    // A call that shares a sync, or a thread beside the others, waits for others: as long as calls come back, the disk is busy
    // and does not hang.
    const isBusy = (): boolean => {
      const hasMoved = this.#ended !== seen;
      seen = this.#ended;
      return hasMoved && (this.#resting > 0 || isBeside === true);
    };
    try {
      outcome = await answerWithin(running, { ...waiting, isBusy });
      if (outcome === NO_ANSWER) {
        isGivenUp = true;
        this.#giveUp();
        // It may still return before the caller is told of it.
        const told: Promise<typeof NO_ANSWER> = Promise.resolve(onGivenUp?.(over)).then(() => NO_ANSWER);
        outcome = await Promise.race([running, told]);
      }
    } catch (error) {
      end();
      throw error;
    }
    if (outcome !== NO_ANSWER) {
      end();
      return outcome;
    }
    void running.then(late).then(end, end);
    throw refusal();
  }

  async rest<T>(wait: Promise<T>): Promise<T> {
    this.#leave();
    this.#resting++;
    try {
      return await wait;
    } finally {
      this.#resting--;
      // A call that has begun goes first: others may wait for it.
      await this.#enter({ isFirst: true });
    }
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#ended++;
      this.#leave();
    }
  }

  async #enter({ refusal, givesWay = false, isFirst = false }: Entering = {}): Promise<void> {
    const isTurn = isFirst || (this.#queue.length === 0 && !(givesWay && this.#later.length > 0));
    if (this.#inside < this.#limit() && isTurn) {
      this.#inside++;
      return;
    }
    await new Promise<void>((enter, reject) => {
      const sendAway = (): void => {
        if (refusal !== undefined) reject(refusal());
      };
      const refuse = refusal === undefined ? undefined : sendAway;
      if (isFirst) this.#queue.unshift({ enter, refuse });
      else (givesWay ? this.#later : this.#queue).push({ enter, refuse });
    });
  }

  #leave(): void {
    this.#inside--;
    while (this.#inside < this.#limit()) {
      const next = this.#next();
      if (next === undefined) return;
      this.#inside++;
      next.enter();
    }
  }

  /** Who gives way comes all the same when so many others have come before. */
  #next(): InQueue | undefined {
    const isLatersTurn = this.#queue.length === 0 || (this.#later.length > 0 && this.#overtaking >= MOST_OVERTAKING);
    this.#overtaking = isLatersTurn ? 0 : this.#overtaking + 1;
    return (isLatersTurn ? this.#later : this.#queue).shift();
  }

  #giveUp(): void {
    this.#givenUp++;
    const queue = [...this.#queue, ...this.#later.splice(0)];
    this.#queue = queue.filter(({ refuse }) => refuse === undefined);
    for (const { refuse } of queue) refuse?.();
  }
}
