const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];

type TimePart = (at: Date, wallMs: number) => string;

const two = (value: number): string => String(value).padStart(2, '0');
const date: TimePart = (at) => at.toISOString().slice(0, 10);
const time: TimePart = (at) => at.toISOString().slice(11, 19);

/** strftime in UTC, as Envoy's %START_TIME(…)% takes it. */
const SPECIFIERS: Readonly<Record<string, TimePart>> = {
  Y: (at) => String(at.getUTCFullYear()),
  y: (at) => two(at.getUTCFullYear() % 100),
  m: (at) => two(at.getUTCMonth() + 1),
  d: (at) => two(at.getUTCDate()),
  e: (at) => String(at.getUTCDate()).padStart(2),
  j: (at) =>
    String((Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()) - Date.UTC(at.getUTCFullYear(), 0, 0)) / 86_400_000).padStart(
      3,
      '0',
    ),
  H: (at) => two(at.getUTCHours()),
  I: (at) => two(at.getUTCHours() % 12 || 12),
  M: (at) => two(at.getUTCMinutes()),
  S: (at) => two(at.getUTCSeconds()),
  p: (at) => (at.getUTCHours() < 12 ? 'AM' : 'PM'),
  A: (at) => DAYS[at.getUTCDay()]!,
  a: (at) => DAYS[at.getUTCDay()]!.slice(0, 3),
  B: (at) => MONTHS[at.getUTCMonth()]!,
  b: (at) => MONTHS[at.getUTCMonth()]!.slice(0, 3),
  F: date,
  T: time,
  s: (_at, wallMs) => String(Math.floor(wallMs / 1000)),
  z: () => '+0000',
  Z: () => 'UTC',
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
};

/** Milliseconds since the epoch as text; without a format as ISO 8601 with milliseconds. `%3f` is the first three digits of the fraction. */
export function compileTime(format: string | undefined): (wallMs: number) => string {
  if (format === undefined || format === '') return (wallMs) => new Date(wallMs).toISOString();
  const parts: (string | TimePart)[] = [];
  let last = 0;
  for (const match of format.matchAll(/%(?:([1-9])?f|([A-Za-z%]))/g)) {
    parts.push(format.slice(last, match.index));
    last = match.index + match[0].length;
    const letter = match[2];
    parts.push(letter === undefined ? fraction(Number(match[1] ?? 9)) : (SPECIFIERS[letter] ?? match[0]));
  }
  parts.push(format.slice(last));
  return (wallMs) => {
    const at = new Date(wallMs);
    let text = '';
    for (const part of parts) text += typeof part === 'string' ? part : part(at, wallMs);
    return text;
  };
}

function fraction(digits: number): TimePart {
  return (_at, wallMs) =>
    String(Math.floor((wallMs - Math.floor(wallMs / 1000) * 1000) * 1_000_000))
      .padStart(9, '0')
      .slice(0, digits);
}
