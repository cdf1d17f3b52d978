/** One field of an encoded message: `bytes` of messages and strings, `value` of numbers. */
interface RawField {
  readonly number: number;
  readonly bytes: Uint8Array | undefined;
  readonly value: number;
}

/** Lengths of fixed-width wire types. */
const FIXED: Readonly<Record<number, number>> = { 1: 8, 5: 4 };

/** Reads the outer level of an encoded message: for fields that are younger than the messages that we generate. */
export function rawFields(body: Uint8Array): RawField[] {
  const fields: RawField[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = body[at++];
      if (byte === undefined) throw new Error('the message ends within a number');
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < body.length) {
    const tag = varint();
    const [number, wireType] = [Math.floor(tag / 8), tag % 8];
    if (wireType === 2) {
      const length = varint();
      fields.push({ number, bytes: body.subarray(at, at + length), value: 0 });
      at += length;
      continue;
    }
    const width = FIXED[wireType];
    fields.push({ number, bytes: undefined, value: wireType === 0 ? varint() : 0 });
    if (wireType === 0) continue;
    if (width === undefined) throw new Error(`wire type ${wireType} is not supported`);
    at += width;
  }
  return fields;
}

/** The values of a field that holds messages. */
export function rawField(body: Uint8Array, number: number): Uint8Array[] {
  return rawFields(body).flatMap((field) => (field.number === number && field.bytes !== undefined ? [field.bytes] : []));
}
