/** Bytes that a length takes before what it is the length of. */
export function varintLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

/** Writes it at a place; answers the place behind it. */
export function writeVarint(value: number, target: Uint8Array, start: number): number {
  let at = start;
  let left = value;
  for (; left > 0x7f; left >>>= 7) target[at++] = (left & 0x7f) | 0x80;
  target[at++] = left;
  return at;
}
