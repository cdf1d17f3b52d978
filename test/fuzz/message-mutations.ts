import fc from 'fast-check';
import { codecOf } from '../../packages/xds-api/src/index.ts';
import type { Bytes } from './compile-through.ts';

interface Step {
  readonly at: number;
  readonly kind: number;
  readonly pick: number;
}

/** A resource whose bytes were changed, or one of whose fields was. */
export interface MessageMutant {
  readonly resource: Bytes;
  readonly how: string;
}

const STRINGS = [
  '',
  ' ',
  '*',
  '(',
  '[a',
  '(a+)+$',
  'x'.repeat(300),
  '\u0000',
  '%REQ(',
  '{*}',
  '/',
  '10.0.0.0/8',
  '::1',
  'inbound|80||',
  'kubernetes://a',
];
const NUMBERS = [0, 1, 2, 99, 100, 404, 65_535, 65_536, 2_147_483_647, 4_294_967_295];

/** Resources, each with some of its bytes or fields changed. */
export function messageMutants(resources: readonly Bytes[]): fc.Arbitrary<MessageMutant> {
  const step = fc.record({ at: fc.nat(), kind: fc.nat({ max: 3 }), pick: fc.nat() });
  return fc
    .tuple(fc.constantFrom(...resources), fc.array(step, { minLength: 1, maxLength: 3 }), fc.nat({ max: 3 }))
    .map(([resource, steps, way]) => ({
      how: `${way === 0 ? 'bytes' : 'fields'} ${steps.map(({ kind }) => kind).join()}`,
      resource: { ...resource, body: way === 0 ? steps.reduce(mutateBytes, resource.body) : mutateFields(resource, steps) },
    }));
}

function mutateBytes(body: Uint8Array, { at, kind, pick }: Step): Uint8Array {
  const position = at % (body.length + 1);
  const head = body.slice(0, position);
  const rest = body.slice(position);
  if (kind === 0) return Buffer.concat([head, Buffer.from([pick % 256]), rest]);
  if (kind === 1) return Buffer.concat([head, rest.slice(1 + (pick % 8))]);
  if (kind === 2) return head;
  return Buffer.concat([head, Buffer.from([pick % 256]), rest.slice(1)]);
}

function mutateFields({ typeUrl, body }: Bytes, steps: readonly Step[]): Uint8Array {
  const codec = codecOf(typeUrl)!;
  const message = opened(codec.decode(body));
  for (const { at, kind, pick } of steps) {
    const places = placesIn(message);
    const place = places[at % Math.max(places.length, 1)];
    if (place !== undefined) change(place.holder, place.key, kind, pick);
  }
  try {
    return codec.encode(closed(message)).finish();
  } catch {
    // A number that the field cannot hold: no control plane can send it either.
    return mutateBytes(body, steps[0]!);
  }
}

const OPENED = '$opened';

/** With what Any fields hold as messages. */
function opened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(opened);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value;
  const { typeUrl, value: bytes } = value as { typeUrl?: unknown; value?: unknown };
  if (typeof typeUrl === 'string' && ArrayBuffer.isView(bytes)) {
    const codec = codecOf(typeUrl);
    return codec === undefined ? value : { typeUrl, [OPENED]: opened(codec.decode(bytes as Uint8Array)) };
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, opened(item)]));
}

function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value;
  if (OPENED in value) {
    const { typeUrl, [OPENED]: inner } = value as unknown as { typeUrl: string; [OPENED]: unknown };
    const codec = codecOf(typeUrl);
    return { typeUrl, value: codec === undefined ? new Uint8Array([8, 1]) : codec.encode(closed(inner)).finish() };
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, closed(item)]));
}

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [...(key === '$case' || key === '$type' ? [] : [{ holder, key }]), ...placesIn(holder[key])]);
}

/** To another value of the same type, so that it can be encoded: what an unfriendly or newer control plane could send. */
function change(holder: Record<string, unknown>, key: string, kind: number, pick: number): void {
  const before = holder[key];
  if (typeof before === 'string') holder[key] = STRINGS[pick % STRINGS.length];
  else if (typeof before === 'number') holder[key] = NUMBERS[pick % NUMBERS.length];
  else if (typeof before === 'boolean') holder[key] = !before;
  else if (ArrayBuffer.isView(before)) holder[key] = Buffer.from(STRINGS[pick % STRINGS.length]!);
  else if (Array.isArray(before)) changeList(before, kind, pick);
  // A map cannot hold nothing under a key, and a chosen field is left out with its choice.
  else if (typeof before === 'object' && before !== null && !('$case' in holder) && isOptional(holder)) holder[key] = undefined;
}

function isOptional(holder: Record<string, unknown>): boolean {
  return Object.values(holder).some((value) => typeof value !== 'object' || value === null);
}

function changeList(list: unknown[], kind: number, pick: number): void {
  if (list.length === 0) return;
  const at = pick % list.length;
  if (kind === 0) list.splice(at, 1);
  else if (kind === 1) list.push(structuredClone(list[at]));
  else if (kind === 2) list.reverse();
  else list.length = 0;
}
