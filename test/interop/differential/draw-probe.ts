import type { Answer } from '../../simulation/row.ts';
import type { Draw } from './draw.ts';
import { pathOf } from './draw-route.ts';
import type { Probe, Scenario } from './scenario.ts';
import { AUTHORITIES, HEADER_NAMES, HEADER_VALUES, METHODS, QUERIES, STATUSES } from './words.ts';

/** A request that often meets the scenario, and what upstreams answer. */
export function drawProbe(draw: Draw, scenario: Scenario): Probe {
  const path = pathOf(draw, scenario);
  const method = draw.one(METHODS);
  const withBody = method === 'POST' || method === 'PUT' || method === 'PATCH';
  const headers: Record<string, string | string[]> = {};
  for (const name of draw.list(3, () => draw.one(HEADER_NAMES)))
    headers[name] =
      draw.chance(0.1) && name.startsWith('x-') ? [draw.one(HEADER_VALUES), draw.one(HEADER_VALUES)] : draw.one(HEADER_VALUES);
  if (draw.chance(0.15)) headers['x-cluster'] = draw.one(['one', 'two', 'missing', '']);
  headers['x-draw'] = draw.one(['0', '3', '9', '12']); // without a number chance would choose
  if (draw.chance(0.1)) {
    headers.origin = draw.one(['http://o', 'http://other']);
    if (draw.chance(0.5)) headers['access-control-request-method'] = 'GET';
  }
  if (draw.chance(0.05)) headers['x-forwarded-proto'] = draw.one(['http', 'https']);
  return {
    call: {
      authority: authorityOf(draw, scenario),
      path: path.includes('?') ? path : path + draw.one(QUERIES),
      method,
      headers,
      ...(withBody && draw.chance(0.7) ? { body: draw.one(['', 'body', 'x'.repeat(2000)]) } : {}),
    },
    answers: Array.from({ length: 1 + draw.below(3) }, () => drawAnswer(draw)),
  };
}

function authorityOf(draw: Draw, { routes }: Scenario): string {
  const domain = draw.one(draw.one(routes.virtualHosts).domains);
  if (domain === '*' || draw.chance(0.3)) return draw.one(AUTHORITIES);
  return domain.replace('*', draw.one(['x', 'y.z', 'a']));
}

function drawAnswer(draw: Draw): Answer {
  if (draw.chance(0.04)) return { hangUp: true };
  const status = draw.one(STATUSES);
  const headers: Record<string, string> = {};
  if (draw.chance(0.3)) headers[draw.one(['x-a', 'x-b', 'x-c', 'x-again', 'server', 'content-type'])] = draw.one(['v', 'w', '']);
  if (status === 301) headers.location = '/elsewhere';
  return { status, headers, ...(draw.chance(0.3) ? { body: draw.one(['', 'text']) } : {}) };
}
