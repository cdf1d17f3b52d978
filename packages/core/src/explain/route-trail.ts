import type { DecisionRecord } from '../decision-record.ts';
import type { Exchange } from '../exchange.ts';
import type { ForwardAction, Route } from '../route/route.ts';

/** Why a request took its route: the virtual host, the routes before it with the first condition that failed, its own conditions. */
export function recordRoute(x: Exchange, record: DecisionRecord): void {
  const { virtualHost: host, route, request, manager } = x;
  if (host === undefined) {
    record.add('host', `no virtual host of ${manager.routes.name} has a domain for ${request.authority}`);
    return;
  }
  record.add('host', `${request.authority} is of virtual host ${host.name} in ${manager.routes.name}`);
  if (host.requireTls && route === undefined) {
    record.add('route', 'none asked for: the virtual host demands https');
    return;
  }
  for (const [index, candidate] of host.routes.entries()) {
    if (candidate === route) {
      record.add('route', `${named(candidate, index)} matched: ${conditionsOf(candidate)}`, candidate.source);
      return;
    }
    record.add('route', `${named(candidate, index)} missed: ${missOf(candidate, x)}`, candidate.source);
  }
  record.add('route', 'no route of the virtual host matches');
}

function named({ name }: Route, index: number): string {
  return name === '' ? `[${index}]` : `[${index}] "${name}"`;
}

function conditionsOf(route: Route): string {
  return (
    route
      .conditions?.()
      .map(({ text }) => text)
      .join(', ') ?? 'its conditions hold'
  );
}

function missOf(route: Route, x: Exchange): string {
  for (const condition of route.conditions?.() ?? []) {
    if (!condition.holds(x)) return `${condition.text}; the request has ${condition.found(x)}`;
  }
  return 'its share of requests did not hit';
}

/** What governs a forwarded request: the draw among clusters, times, retries, mirrors. */
export function recordForward(x: Exchange, action: ForwardAction, record: DecisionRecord): void {
  const { cluster, route } = x;
  if (cluster === undefined) return;
  record.add('cluster', `${cluster.name}${drawText(action, cluster.name)}`, cluster.source);
  const { request, originalPath } = x;
  if (request.path !== originalPath) record.add('request', `path ${originalPath} rewritten to ${request.path}`, route?.source);
  record.add('timeout', timesOf(action), route?.source);
  record.add('retry', retriesOf(action), route?.source);
  for (const mirror of action.mirrors) record.add('mirror', `a copy may go to ${mirror.cluster}`, route?.source);
}

function drawText({ weights }: ForwardAction, chosen: string): string {
  if (weights === undefined || weights.length < 2) return '';
  const total = weights.reduce((sum, { weight }) => sum + weight, 0);
  const own = weights.find(({ cluster }) => cluster === chosen)?.weight ?? 0;
  const others = weights.filter(({ cluster }) => cluster !== chosen).map(({ cluster, weight }) => `${cluster} ${weight}`);
  return `, drawn with weight ${own} of ${total} (others: ${others.join(', ')})`;
}

function timesOf({ timeoutMs, idleTimeoutMs, maxStreamDurationMs, retry }: ForwardAction): string {
  const parts = [timeoutMs > 0 ? `${timeoutMs} ms for the whole request` : 'none for the whole request'];
  if (retry !== undefined && retry.perTryTimeoutMs > 0) parts.push(`${retry.perTryTimeoutMs} ms per attempt`);
  if (idleTimeoutMs > 0) parts.push(`${idleTimeoutMs} ms without a byte`);
  if (maxStreamDurationMs > 0) parts.push(`${maxStreamDurationMs} ms for the stream`);
  return parts.join(', ');
}

function retriesOf({ retry }: ForwardAction): string {
  if (retry === undefined || retry.numRetries === 0 || retry.retryOn.size === 0) return 'none';
  return `up to ${retry.numRetries} on ${[...retry.retryOn].join(', ')}`;
}
