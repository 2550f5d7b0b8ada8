import type { ByteRange } from '../../index.ts';
import { UsageError } from '../terminal/failure.ts';

/** Bytes as `--range` names them: `0-99`, `100-` or `-100`. @throws UsageError */
export function parseRange(text: string): ByteRange {
  const match = /^(\d*)-(\d*)$/.exec(text);
  const [from, to] = [match?.[1], match?.[2]].map((end) => (end === undefined || end === '' ? undefined : Number(end)));
  if (match === null || (from === undefined && to === undefined)) {
    throw new UsageError(`bad range "${text}": ranges are like 0-99, 100- or -100`);
  }
  return { from, to };
}
