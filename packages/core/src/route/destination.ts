import type { Exchange } from '../exchange.ts';

/** The cluster that a request goes to; '' = none. The route's dice are thrown once: what falls here is where it is sent. */
export function destinationOf(x: Exchange): string {
  const action = x.route?.action;
  if (action?.kind === 'inbound') return action.clusterName;
  if (action?.kind !== 'forward') return '';
  x.clusterName ??= action.chooseCluster(x);
  return x.clusterName ?? '';
}
