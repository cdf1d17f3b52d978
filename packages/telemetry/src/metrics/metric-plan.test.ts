import type { Exchange, MetricOverride, Outcome } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { Cell, Cells } from './cell.ts';
import { planOf } from './metric-plan.ts';
import { renderPrometheus } from './prometheus.ts';

const LABELS = { reporter: 'source', response_flags: '-', destination_version: 'v1' };
const OUTCOME = { status: 200, requestBytes: 6, responseBytes: 5, endedAt: 107 } as Outcome;

function override(metric: string, change: Partial<MetricOverride>): MetricOverride {
  return { metric, drop: false, removed: [], tags: new Map(), ...change };
}

/** Series without their values, one of each histogram. */
function series(overrides: readonly MetricOverride[], path = '/a'): string[] {
  const cells = new Cells((each) => new Cell(each));
  planOf(overrides, LABELS, cells).record({ startedAt: 100, request: { path } } as unknown as Exchange, OUTCOME);
  return renderPrometheus(cells.values(), [], [])
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.includes('_bucket') && !line.includes('_sum'))
    .map((line) => line.replace(/ \d+$/, ''));
}

describe('metrics that Telemetry changes', () => {
  it('are not counted when they are dropped', () => {
    expect(series([override('request_bytes', { drop: true }), override('response_bytes', { drop: true })])).toEqual([
      'istio_requests_total{reporter="source",response_flags="-",destination_version="v1"}',
      'istio_request_duration_milliseconds_count{reporter="source",response_flags="-",destination_version="v1"}',
    ]);
  });

  it('lose tags, and gain computed ones, each metric by itself', () => {
    const tags = new Map([['path', (x: Exchange) => x.request.path]]);
    const found = series([override('requests_total', { removed: ['response_flags'], tags }), override('request_bytes', { drop: true })]);
    expect(found).toEqual([
      'istio_requests_total{reporter="source",destination_version="v1",path="/a"}',
      'istio_request_duration_milliseconds_count{reporter="source",response_flags="-",destination_version="v1"}',
      'istio_response_bytes_count{reporter="source",response_flags="-",destination_version="v1"}',
    ]);
  });

  it('are all meant when none is named, and the last word counts', () => {
    expect(series([override('', { drop: true })])).toEqual([]);
    expect(series([override('', { drop: true }), override('requests_total', { drop: false })])).toEqual([
      'istio_requests_total{reporter="source",response_flags="-",destination_version="v1"}',
    ]);
  });
});
