import type { FilterFactory } from '@ripstop/core';
import { OnDemand, OnDemandPerRoute, typeUrlOf } from '@ripstop/xds-api';

export const ON_DEMAND_TYPE_URL: string = typeUrlOf(OnDemand.$type);

/** Does nothing at its place: that it is there lets a route table ask for hosts (see HostRequests). */
export const onDemand: FilterFactory<null> = {
  typeUrl: ON_DEMAND_TYPE_URL,
  overrideTypeUrl: typeUrlOf(OnDemandPerRoute.$type),
  directions: ['inbound', 'outbound'],
  decode: (body) => refuseClusters(OnDemand.decode(body)),
  decodeOverride: (body) => refuseClusters(OnDemandPerRoute.decode(body)),
  create: () => undefined,
};

function refuseClusters({ odcds }: OnDemandPerRoute): null {
  if (odcds !== undefined) throw new Error('odcds is not supported: clusters come whole (CDS), take it out');
  return null;
}
