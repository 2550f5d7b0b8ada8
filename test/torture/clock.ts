/** A process whose clock is wrong: it can be set at any time, ahead and back. What measures spans (`performance.now`) stays right. */
let offset = 0;

const RealDate = Date;
const now = (): number => RealDate.now() + offset;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, values) => Reflect.construct(target, values.length === 0 ? [now()] : values) as Date,
  get: (target, name, receiver) => (name === 'now' ? now : (Reflect.get(target, name, receiver) as unknown)),
});

/** @param milliseconds by which the process's clock is ahead from now on; below 0 it is behind */
export function setClock(milliseconds: number): void {
  offset = milliseconds;
}
