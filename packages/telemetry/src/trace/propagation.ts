import type { Exchange } from '@ripstop/core';

/**
 * Headers that an app in an Istio mesh has to forward by hand, and that Ripstop forwards for it (the list of Istio's bookinfo
 * sample). Never authorization or cookie.
 */
const PROPAGATED = [
  'x-request-id',
  'traceparent',
  'tracestate',
  'baggage',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'b3',
  'x-cloud-trace-context',
  'grpc-trace-bin',
  'x-datadog-trace-id',
  'x-datadog-parent-id',
  'x-datadog-sampling-priority',
  'x-ot-span-context',
  'sw8',
] as const;

type Pairs = readonly (readonly [name: string, value: string])[];

/** What an inbound exchange hands on; read once, at its first outbound call. */
const carried = new WeakMap<Exchange, Pairs>();

/** Copies the inbound request's propagation headers to an outbound one, where the app has not set them itself. */
export function propagate(parent: Exchange, x: Exchange): void {
  let pairs = carried.get(parent);
  if (pairs === undefined) {
    const found: [string, string][] = [];
    for (const name of PROPAGATED) {
      const value = parent.request.header(name);
      const carries = value === undefined ? '' : cut(name, value);
      if (carries !== '') found.push([name, carries]);
    }
    pairs = found;
    carried.set(parent, pairs);
  }
  for (const [name, value] of pairs) {
    if (x.request.header(name) === undefined) x.request.setHeader(name, value);
  }
}

/** What W3C asks to be carried: of tracestate 32 members and 512 characters, of baggage 64 and 8,192. A caller's more is not multiplied. */
const LIMITS: Readonly<Record<string, readonly [members: number, characters: number]>> = {
  tracestate: [32, 512],
  baggage: [64, 8_192],
};

/** Whole members from the left. */
function cut(name: string, value: string): string {
  const limits = LIMITS[name];
  if (limits === undefined) return value;
  const [members, characters] = limits;
  if (value.length <= characters && value.split(',', members + 1).length <= members) return value;
  let kept = '';
  for (const member of value.split(',', members)) {
    const longer = kept === '' ? member : `${kept},${member}`;
    if (longer.length > characters) break;
    kept = longer;
  }
  return kept;
}
