import { randomFillSync } from 'node:crypto';

/** Ids that are written together. Each is a slice of their common text, so one that an app keeps holds so many. */
const BATCH = 32;
/** Batches whose random bytes are drawn together: a draw costs microseconds. */
const DRAWN_BATCHES = 8;
const ID_BYTES = 16;
const ID_CHARS = 36;
const DASH = 0x2d;
const HEX = '0123456789abcdef';

const random = Buffer.alloc(DRAWN_BATCHES * BATCH * ID_BYTES);
const chars = Buffer.alloc(BATCH * ID_CHARS, DASH);
let drawnFrom = random.length;
let text = '';
let next = BATCH;

/**
 * A random UUID (version 4) for `x-request-id`, as `crypto.randomUUID` makes it, which puts each together from twenty pieces: 590 bytes
 * of garbage that whoever reads the header first has to join.
 */
export function createRequestId(): string {
  if (next === BATCH) fill();
  const from = next++ * ID_CHARS;
  return text.slice(from, from + ID_CHARS);
}

function fill(): void {
  if (drawnFrom === random.length) {
    randomFillSync(random);
    drawnFrom = 0;
  }
  for (let id = 0; id < BATCH; id++, drawnFrom += ID_BYTES) write(drawnFrom, id * ID_CHARS);
  text = chars.toString('latin1');
  next = 0;
}

function write(from: number, to: number): void {
  for (let byte = 0, at = to; byte < ID_BYTES; byte++, at += 2) {
    if (byte === 4 || byte === 6 || byte === 8 || byte === 10) at++;
    let value = random[from + byte]!;
    if (byte === 6) value = (value & 0x0f) | 0x40;
    else if (byte === 8) value = (value & 0x3f) | 0x80;
    chars[at] = HEX.charCodeAt(value >> 4);
    chars[at + 1] = HEX.charCodeAt(value & 15);
  }
}
