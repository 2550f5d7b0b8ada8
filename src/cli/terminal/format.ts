const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes for people: `472 B`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`;
}

/** Milliseconds for people: `12 ms`, `3.4 s`, `2 min 5 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds.toFixed(0)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${(seconds % 60).toFixed(0)} s`;
}

export function formatRate(bytes: number, milliseconds: number): string {
  return milliseconds === 0 ? '–' : `${formatBytes((bytes / milliseconds) * 1000)}/s`;
}

/** What a transfer came to: `1.0 GiB  2.1 s  490 MiB/s`. */
export function formatTransfer(bytes: number, milliseconds: number): string {
  return `${formatBytes(bytes)}  ${formatDuration(milliseconds)}  ${formatRate(bytes, milliseconds)}`;
}

/** The same for programs. */
export function speedOf(bytes: number, milliseconds: number): { seconds: number; bytesPerSecond: number } {
  const bytesPerSecond = Math.round((bytes / Math.max(milliseconds, 1)) * 1000);
  return { seconds: milliseconds / 1000, bytesPerSecond };
}

/** The last line of a command over several files. */
export function formatSummary(files: number, bytes: number, failed: number, milliseconds: number): string {
  const end = failed === 0 ? '' : `  ${failed} failed`;
  return `${plural(files, 'file')}  ${formatTransfer(bytes, milliseconds)}${end}`;
}

/** `1 chunk`, `2 chunks`. */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** A name for a terminal: control characters can't do anything there. */
export function printable(name: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what has to be found
  return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) =>
    JSON.stringify(character)
      .slice(1, -1)
      .replace(/^[\u007f-\u009f]$/, '\ufffd'),
  );
}
