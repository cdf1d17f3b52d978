import type { Finding } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { EventLog } from './event-log.ts';

const typo: Finding = {
  code: 'RIPSTOP_UNKNOWN_FIELD',
  severity: 'error',
  object: 'VirtualService default/reviews',
  position: { file: 'reviews.yaml', line: 9, column: 11 },
  path: 'spec.http[0].route[0].wieght',
  message: 'unknown field "wieght"; did you mean "weight"?',
};
const hint: Finding = { ...typo, code: 'IST0130', severity: 'warning', message: 'this route can never match' };

function logOf(): { log: EventLog; lines: string[] } {
  const lines: string[] = [];
  return { log: new EventLog((line) => lines.push(line), Date.now), lines };
}

describe('the event log of a control plane', () => {
  it('names file, line, object, field and fix of each finding', () => {
    const { log, lines } = logOf();
    log.onEvent({ type: 'configuration', objects: 3, files: 1, findings: [typo] });
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d {2}configuration 3 objects in 1 file read, 1 finding$/);
    expect(lines[1]).toContain(
      'error reviews.yaml:9 VirtualService default/reviews spec.http[0].route[0].wieght: unknown field "wieght"; did you mean "weight"?',
    );
  });

  it('repeats errors at every save and says anything else once', () => {
    const { log, lines } = logOf();
    log.onEvent({ type: 'configuration', objects: 3, files: 1, findings: [typo, hint] });
    lines.length = 0;
    log.onEvent({ type: 'configuration', objects: 4, files: 2, findings: [typo, hint] });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('4 objects in 2 files read, 2 findings, 1 of them as before');
    expect(lines[1]).toContain('unknown field');
  });

  it('says a warning again when it comes back after it was gone', () => {
    const { log, lines } = logOf();
    for (const findings of [[hint], [], [hint]]) log.onEvent({ type: 'configuration', objects: 1, files: 1, findings });
    expect(lines.filter((line) => line.includes('can never match'))).toHaveLength(2);
  });

  it('prints one line for each event, whatever is in the texts', () => {
    const { log, lines } = logOf();
    const node = 'sidecar~10.0.0.1~reviews-v1-1.default~default.svc.cluster.local';
    log.onEvent({ type: 'connected', node, reason: '' });
    log.onEvent({ type: 'disconnected', node, reason: 'stream\nlost' });
    log.onEvent({ type: 'registered', workload: 'reviews-v1-1.default', addresses: ['9080→127.0.0.1:4711'] });
    log.onEvent({ type: 'withdrawn', workload: 'reviews-v1-1.default', reason: 'draining' });
    log.onEvent({ type: 'refused', node, typeUrl: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration', reason: 'bad\nroute' });
    log.onEvent({
      type: 'issued',
      spiffeId: 'spiffe://cluster.local/ns/default/sa/reviews',
      serialNumber: '0A',
      notAfterMs: Date.UTC(2026, 0, 2),
      by: 'join token',
      from: '127.0.0.1:4711',
    });
    log.onEvent({ type: 'problem', message: 'cannot read mesh' });
    expect(lines.map((line) => line.slice(10))).toEqual([
      'connected     reviews-v1-1.default',
      'disconnected  reviews-v1-1.default: stream lost',
      'registered    reviews-v1-1.default 9080→127.0.0.1:4711',
      'withdrawn     reviews-v1-1.default: draining',
      'refused       NACK of RouteConfiguration by reviews-v1-1.default: bad route',
      'issued        spiffe://cluster.local/ns/default/sa/reviews serial 0A until 2026-01-02T00:00:00.000Z, by join token',
      'problem       cannot read mesh',
    ]);
  });
});
