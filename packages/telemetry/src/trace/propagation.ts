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
      if (value !== undefined) found.push([name, value]);
    }
    pairs = found;
    carried.set(parent, pairs);
  }
  for (const [name, value] of pairs) {
    if (x.request.header(name) === undefined) x.request.setHeader(name, value);
  }
}
