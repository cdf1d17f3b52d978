import {
  Exchange,
  type HttpConnectionManager,
  type JsonFormat,
  NO_PEER,
  type Outcome,
  type RequestHead,
  ResponseFlag,
  type ResponseHead,
  type Route,
  type Snapshot,
} from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import type { LogEntry } from './format.ts';
import { compileAccessLog, compileFormat } from './format.ts';

/** Lines by name, first ones first. */
class Head implements RequestHead, ResponseHead {
  readonly scheme = 'http';
  authority = 'reviews:9080';
  method = 'GET';
  path = '/a?d=120';
  status = 200;
  private readonly lines: Readonly<Record<string, readonly string[]>>;
  constructor(lines: Readonly<Record<string, readonly string[]>> = {}) {
    this.lines = lines;
  }
  header(name: string): string | undefined {
    return this.lines[name]?.join(',');
  }
  firstLine(name: string): string | undefined {
    return this.lines[name]?.[0];
  }
  headerLines(name: string): readonly string[] {
    return this.lines[name] ?? [];
  }
  setHeader(): void {}
  appendHeader(): void {}
  removeHeader(): void {}
}

const OUTCOME: Outcome = { status: 200, grpcStatus: undefined, requestBytes: 0, responseBytes: 5, endedAt: 252.9 };

/** The request that a real Envoy 1.40 was asked with; see the lines below. */
function entry(change: (x: Exchange) => void = () => {}, outcome: Partial<Outcome> = {}): LogEntry {
  const x = new Exchange({
    direction: 'outbound',
    protocol: 'http1',
    request: new Head({ 'user-agent': ['curl/7.88.1'], x: ['12345'] }),
    snapshot: {} as Snapshot,
    manager: {} as HttpConnectionManager,
    peer: { ...NO_PEER, address: '127.0.0.1', port: 43_826, localAddress: '127.0.0.1', localPort: 19_800 },
    port: 80,
    startedAt: 100,
  });
  x.attempt = 1;
  x.route = { name: 'r1', action: { kind: 'forward' } } as unknown as Route;
  x.endpoint = { key: '127.0.0.1:19801' } as Exchange['endpoint'] & object;
  x.cluster = { name: 'c' } as Exchange['cluster'] & object;
  x.requestEndedAt = 100.4;
  x.respondedAt = 251.7;
  x.upstreamLocalAddress = '127.0.0.1:44092';
  x.response = new Head({ 'x-two': ['a', 'b'], 'x-digits': ['123'] });
  change(x);
  return { x, outcome: { ...OUTCOME, ...outcome }, startedAtWall: Date.UTC(2026, 10, 26, 14, 34, 2, 926) };
}

/** A reply of the listener's own, before any upstream. */
const direct = (x: Exchange): void => {
  x.attempt = 0;
  x.endpoint = undefined;
  x.cluster = undefined;
  x.requestEndedAt = -1;
  x.respondedAt = -1;
  x.upstreamLocalAddress = '';
  x.details = 'direct_response';
  x.response = new Head();
};

const json = (fields: JsonFormat, omitEmpty = false, at = entry()): string =>
  compileAccessLog({ format: { kind: 'json', fields }, omitEmpty })(at);

describe('a JSON access log', () => {
  it('is written as Envoy 1.40 writes it: sorted, typed, null for nothing', () => {
    const fields = {
      zeta: '%RESPONSE_CODE%',
      alpha: '%REQ(:PATH)%',
      mixed: 'c=%RESPONSE_CODE% d=%REQ(NOPE)%',
      nope: '%REQ(NOPE)%',
      two: '%RESP(X-TWO)%',
      digits: '%RESP(X-DIGITS)%',
      bytes: '%BYTES_SENT%',
      flags: '%RESPONSE_FLAGS%',
      details: '%RESPONSE_CODE_DETAILS%',
      ctd: '%CONNECTION_TERMINATION_DETAILS%',
      reqd: '%REQUEST_DURATION%',
      respd: '%RESPONSE_DURATION%',
      resptx: '%RESPONSE_TX_DURATION%',
      dur: '%DURATION%',
      port: '%DOWNSTREAM_REMOTE_PORT%',
      dra: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
      att: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
      nested: { a: '%PROTOCOL%', list: ['%RESPONSE_CODE%', 'x', 5, true, null] },
      num: 7,
      flt: 1.5,
      yes: true,
      nul: null,
      text: 'plain',
      st: '%START_TIME%',
      st2: '%START_TIME(%Y/%m/%dT%H:%M:%S%z %s)%',
      st3: '%START_TIME(%s.%3f)%',
      gs: '%GRPC_STATUS%',
      uh: '%UPSTREAM_HOST%',
      ulocal: '%UPSTREAM_LOCAL_ADDRESS%',
      uc: '%UPSTREAM_CLUSTER%',
      route: '%ROUTE_NAME%',
      trunc: '%REQ(:PATH):3%',
      qs: 'quote " back \\ nl',
      dm: '%DYNAMIC_METADATA(a:b)%',
      sni: '%REQUESTED_SERVER_NAME%',
    };
    expect(json(fields)).toBe(
      '{"alpha":"/a?d=120","att":1,"bytes":5,"ctd":null,"details":"via_upstream","digits":"123","dm":null,"dra":"127.0.0.1","dur":152,"flags":"-","flt":"1.5","gs":null,"mixed":"c=200 d=-","nested":{"a":"HTTP/1.1","list":[200,"x",5,true,null]},"nope":null,"nul":null,"num":7,"port":43826,"qs":"quote \\" back \\\\ nl","reqd":0,"respd":151,"resptx":1,"route":"r1","sni":null,"st":"2026-11-26T14:34:02.926Z","st2":"2026/11/26T14:34:02+0000 1795703642","st3":"1795703642.926","text":"plain","trunc":"/a?","two":"a","uc":"c","uh":"127.0.0.1:19801","ulocal":"127.0.0.1:44092","yes":true,"zeta":200}\n',
    );
  });

  it('is one line whatever a caller sends', () => {
    const sent = `/a\n"b":1\x1b[2J\u2028${'x'.repeat(10_240)}`;
    const line = json(
      { path: '%REQ(:PATH)%', sni: '%REQUESTED_SERVER_NAME%', start: '%REQ(:PATH):5%' },
      false,
      entry((x) => {
        x.request.path = sent;
        (x.peer as { sni: string }).sni = sent;
      }),
    );
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(line).not.toContain('\x1b');
    expect(JSON.parse(line)).toEqual({ path: sent, sni: sent, start: sent.slice(0, 5) });
  });

  it('leaves out what is empty when told to', () => {
    const fields = { a: '%REQ(NOPE)%', b: 'x %REQ(NOPE)%', c: '%RESPONSE_CODE%', d: '%RESPONSE_FLAGS%', e: { x: '%REQ(NOPE)%' } };
    expect(json(fields, true)).toBe('{"b":"x ","c":200,"d":"-"}\n');
  });

  it('has null for what a local reply has not', () => {
    const fields = {
      att: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
      reqd: '%REQUEST_DURATION%',
      reqtx: '%REQUEST_TX_DURATION%',
      respd: '%RESPONSE_DURATION%',
      resptx: '%RESPONSE_TX_DURATION%',
      two: '%RESP(X-TWO)%',
      uc: '%UPSTREAM_CLUSTER%',
      uh: '%UPSTREAM_HOST%',
      ulocal: '%UPSTREAM_LOCAL_ADDRESS%',
    };
    expect(json(fields, false, entry(direct, { status: 418 }))).toBe(
      '{"att":0,"reqd":0,"reqtx":null,"respd":null,"resptx":null,"two":null,"uc":null,"uh":null,"ulocal":null}\n',
    );
  });
});

describe('a text access log', () => {
  it.each([
    ['%RESP(X-TWO)% %RESP(nope?x-digits)%', 'a 123'],
    ['%REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%', '0 151 1'],
    ['%REQ(X):2% %REQ(USER-AGENT)% %% %TRAILER(x)%', '12 curl/7.88.1 % -'],
    ['%START_TIME(%FT%T)%', '2026-11-26T14:34:02'],
    ['%START_TIME(%s.%6f %f)%', '1795703642.926000 926000000'],
    ['%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%', '151'],
    ['%PATH(NQ)% %REQ_WITHOUT_QUERY(:PATH)% %QUERY_PARAM(d)%', '/a /a 120'],
    ['%NOBODY_KNOWS%', '-'],
  ])('%s', (format, expected) => {
    expect(compileFormat(format)(entry())).toBe(expected);
  });

  it('prints nothing instead of a dash when told to', () => {
    const format = { kind: 'text', text: 'O [%REQ(NOPE)%] [%RESPONSE_FLAGS%] [%GRPC_STATUS%] [%REQUEST_DURATION%]\n' } as const;
    expect(compileAccessLog({ format, omitEmpty: true })(entry())).toBe('O [] [-] [] [0]\n');
  });

  it('says flags, statuses of gRPC and metadata by their names', () => {
    const at = entry(
      (x) => {
        x.flags = ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded;
        x.metadata = new Map([['envoy.filters.http.rbac', { verdict: 'denied', list: [1] }]]);
      },
      { grpcStatus: 5 },
    );
    const format =
      '%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG% %GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER% %DYNAMIC_METADATA(envoy.filters.http.rbac:verdict)%';
    expect(compileFormat(format)(at)).toBe('URX,UF UpstreamRetryLimitExceeded,UpstreamConnectionFailure NotFound NOT_FOUND 5 denied');
  });
});
