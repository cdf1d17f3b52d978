import { Exchange, type HttpConnectionManager, NO_PEER, type Outcome, ResponseFlag, type Snapshot } from '@ripstop/core';
import { AccessLogFilter } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileAccessLogFilter } from './access-log-filter.ts';
import { compileCel } from './cel.ts';

class Head {
  readonly scheme = 'http';
  authority = 'reviews:9080';
  method = 'POST';
  path = '/reviews/0?x=1';
  status = 404;
  private readonly headers: Readonly<Record<string, string>>;
  constructor(headers: Readonly<Record<string, string>>) {
    this.headers = headers;
  }
  header(name: string): string | undefined {
    return this.headers[name];
  }
  firstLine(name: string): string | undefined {
    return this.headers[name];
  }
  headerLines(name: string): readonly string[] {
    return this.headers[name] === undefined ? [] : [this.headers[name]];
  }
  setHeader(): void {}
  appendHeader(): void {}
  removeHeader(): void {}
}

const OUTCOME: Outcome = { status: 404, grpcStatus: undefined, requestBytes: 6, responseBytes: 5, endedAt: 130 };

function finished(): Exchange {
  const x = new Exchange({
    direction: 'inbound',
    protocol: 'http1',
    request: new Head({ 'x-user': 'jason', 'user-agent': 'curl' }),
    snapshot: {} as Snapshot,
    manager: {} as HttpConnectionManager,
    peer: { ...NO_PEER, address: '10.0.0.9', port: 40_000, mtls: true, uriSans: ['spiffe://td/ns/a/sa/b'] },
    port: 9080,
    startedAt: 100,
  });
  x.response = new Head({ 'x-two': 'b' });
  x.flags = ResponseFlag.NoRouteFound;
  return x;
}

describe('CEL over a finished exchange', () => {
  it.each([
    ['response.code >= 400', true],
    ['response.code >= 400 && request.method == "POST"', true],
    ['request.path == "/reviews/0?x=1" && request.url_path == "/reviews/0" && request.query == "x=1"', true],
    ['request.headers["x-user"] == "jason"', true],
    ['request.headers[":authority"]', 'reviews:9080'],
    ['"x-user" in request.headers && !("x-nobody" in request.headers)', true],
    ['response.headers["x-two"]', 'b'],
    ['request.duration > duration("29ms") && request.duration < duration("31ms")', true],
    ['response.flags', 256n],
    ['response.size + request.total_size', 11n],
    ['connection.mtls && connection.uri_san_peer_certificate.startsWith("spiffe://td/")', true],
    ['source.address', '10.0.0.9:40000'],
    ['source.port == 40000', true],
    ['!has(response.grpc_status)', true],
    ['xds.listener_direction == 1', true],
    ['request.path.matches("^/reviews/[0-9]+")', true],
    ['request.path.matches("reviews$")', false],
    // Backtracking engines take ages for this one.
    ['"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!".matches("^(a+)+$")', false],
    ['request.headers["x-nobody"] == "a"', undefined],
    ['nobody.knows', undefined],
    ['request.headers["x-nobody"] == "a" || response.code == 404', true],
  ])('%s', (expression, expected) => {
    expect(compileCel(expression)(finished(), OUTCOME)).toEqual(expected);
  });

  it('refuses what is no expression, naming it', () => {
    expect(() => compileCel('response.code >=')).toThrow('CEL expression "response.code >=": Unexpected token: EOF');
  });
});

describe('an access log filter', () => {
  const passes = (filter: object): boolean => compileAccessLogFilter(AccessLogFilter.fromJSON(filter))(finished(), OUTCOME);
  const at = (op: string, defaultValue: number): object => ({ comparison: { op, value: { defaultValue } } });

  it.each([
    ['a flag that is set', { responseFlagFilter: { flags: ['NR', 'UH'] } }, true],
    ['a flag that is not set', { responseFlagFilter: { flags: ['UH'] } }, false],
    ['any flag', { responseFlagFilter: {} }, true],
    ['a status', { statusCodeFilter: at('GE', 400) }, true],
    ['another status', { statusCodeFilter: at('EQ', 200) }, false],
    ['a duration', { durationFilter: at('LE', 30) }, true],
    ['a header', { headerFilter: { header: { name: 'x-user', stringMatch: { exact: 'jason' } } } }, true],
    ['both', { andFilter: { filters: [{ statusCodeFilter: at('GE', 400) }, { responseFlagFilter: { flags: ['UH'] } }] } }, false],
    ['either', { orFilter: { filters: [{ statusCodeFilter: at('GE', 400) }, { responseFlagFilter: { flags: ['UH'] } }] } }, true],
    ['a status of gRPC', { grpcStatusFilter: { statuses: ['UNKNOWN'] } }, true],
  ])('passes or not: %s', (_what, filter, expected) => {
    expect(passes(filter)).toBe(expected);
  });

  it('that is not supported is refused by its name', () => {
    expect(() => passes({ runtimeFilter: { runtimeKey: 'a' } })).toThrow('access log filter runtimeFilter is not supported');
  });
});
