import { describe, expect, it } from 'vitest';
import { NO_PEER, type Peer } from './exchange.ts';
import { applyForwardedHeaders, endsAtFirstProxy, INTERNAL_ONLY_HEADERS, readsAsMeshHeader } from './forwarded-headers.ts';
import type { HttpConnectionManager } from './route/route.ts';
import { exchange, FakeHead } from './testing/fakes.ts';

const OWN = 'spiffe://cluster.local/ns/default/sa/own';
const CALLER: Peer = {
  ...NO_PEER,
  mtls: true,
  uriSans: ['spiffe://cluster.local/ns/default/sa/caller'],
  certificateHash: 'abc',
  address: '10.0.0.9',
};
const STRANGER: Peer = { ...NO_PEER, address: '10.0.0.9' };
const ALL_DETAILS = { subject: true, cert: true, chain: true, dns: true, uri: true };

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly peer?: Peer;
  readonly manager?: Partial<HttpConnectionManager>;
  readonly own?: string;
  /** The driver has listed the headers of the mesh. */
  readonly listed?: boolean;
}

/** The headers of the request as they enter the filters. */
function entering({ headers = {}, peer = STRANGER, manager = {}, own = OWN, listed = false }: Asked): FakeHead {
  const head = new FakeHead({ 'x-request-id': 'mine', ...headers });
  const request = listed ? Object.assign(head, { meshHeaders: Object.keys(headers) }) : head;
  const base = {
    useRemoteAddress: false,
    xffTrustedHops: 0,
    forwardClientCert: 'SANITIZE',
    clientCertDetails: { subject: false, cert: false, chain: false, dns: false, uri: false },
  };
  applyForwardedHeaders(exchange({ request, peer, manager: { ...base, ...manager } as HttpConnectionManager }), own);
  return head;
}

const MESH_ONLY = [
  'x-envoy-original-path',
  'x-envoy-original-host',
  'x-envoy-decorator-operation',
  'x-envoy-attempt-count',
  'x-envoy-fault-abort-request',
  'x-envoy-fault-abort-grpc-request',
  'x-envoy-fault-abort-request-percentage',
  'x-envoy-fault-delay-request',
  'x-envoy-fault-delay-request-percentage',
  'x-envoy-fault-throughput-response',
  'x-envoy-fault-throughput-response-percentage',
  'x-envoy-auth-failure-mode-allowed',
  'x-envoy-peer-metadata',
  'x-envoy-peer-metadata-id',
  'x-istio-attributes',
  'x-ripstop-explain',
];
const EDGE = ['x-envoy-decorator-operation', 'x-envoy-downstream-service-cluster', 'x-envoy-original-path', 'x-envoy-original-host'];
const INTERNAL = [
  'internal',
  'retry-on',
  'retry-grpc-on',
  'max-retries',
  'retriable-status-codes',
  'retriable-header-names',
  'upstream-rq-timeout-ms',
  'upstream-rq-per-try-timeout-ms',
  'upstream-rq-timeout-alt-response',
  'hedge-on-per-try-timeout',
  'force-trace',
  'ip-tags',
  'upstream-alt-stat-name',
  'expected-rq-timeout-ms',
  'original-url',
].map((name) => `x-envoy-${name}`);

describe.each([true, false])('headers that say what only a proxy knows (listed by the driver: %s)', (listed) => {
  const present = (name: string, more: Asked): boolean =>
    entering({ ...more, listed, headers: { [name]: 'forged', 'x-mine': '1' } }).header(name) !== undefined;

  it.each(INTERNAL)('%s comes from nobody', (name) => {
    expect([present(name, { peer: CALLER }), present(name, {})]).toEqual([false, false]);
    expect([endsAtFirstProxy(name), INTERNAL_ONLY_HEADERS.includes(name)]).toEqual([true, true]);
  });

  it.each(MESH_ONLY)('%s comes from callers with an identity of the mesh', (name) => {
    const nameless = { ...CALLER, uriSans: [] };
    expect([present(name, { peer: CALLER }), present(name, {}), present(name, { peer: nameless })]).toEqual([true, false, false]);
    expect(present(name, { peer: { ...CALLER, mtls: false } })).toBe(false);
    expect(endsAtFirstProxy(name)).toBe(false);
  });

  it.each(EDGE)('%s comes from nobody at an edge', (name) => {
    expect(present(name, { peer: CALLER, manager: { useRemoteAddress: true } })).toBe(false);
    expect(present(name, { peer: CALLER })).toBe(true);
  });

  it('all others stay', () => {
    const head = entering({ listed, headers: { 'x-mine': '1', 'x-envoy-internal': 'true', 'x-envoy-other': '2' } });
    expect([head.header('x-mine'), head.header('x-envoy-internal'), head.header('x-envoy-other')]).toEqual(['1', undefined, '2']);
  });
});

it('a certificate that an app claims to have seen ends at its sidecar, other names do not', () => {
  expect(['x-forwarded-client-cert', 'forwarded-client-cert', 'x-forwarded-for', 'host'].map(endsAtFirstProxy)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

it.each([
  ['x_envoy_internal', true],
  ['x-forwarded_client-cert', true],
  ['x_istio_attributes', true],
  ['x-envoy-internal', false],
  ['my_x-envoy-internal', false],
  ['x_other', false],
])('%s reads as a header of the mesh: %s', (name, wanted) => {
  expect(readsAsMeshHeader(name)).toBe(wanted);
});

describe('x-forwarded-for, x-forwarded-proto and x-request-id', () => {
  const seen = (asked: Asked): (string | undefined)[] => {
    const head = entering(asked);
    return ['x-forwarded-for', 'x-envoy-external-address', 'x-forwarded-proto'].map((name) => head.header(name));
  };

  it.each<[what: string, hops: number, before: string | undefined, wanted: (string | undefined)[]]>([
    ['nothing', 0, undefined, ['10.0.0.9', '10.0.0.9', 'http']],
    ['a line', 0, '1.1.1.1', ['1.1.1.1,10.0.0.9', '10.0.0.9', 'http']],
    ['a line of a trusted proxy', 1, '1.1.1.1', ['1.1.1.1,10.0.0.9', '1.1.1.1', 'said']],
    ['nothing, of a trusted proxy', 1, undefined, ['10.0.0.9', '10.0.0.9', 'said']],
    ['two, of which the last counts', 1, '1.1.1.1, 2.2.2.2', ['1.1.1.1, 2.2.2.2,10.0.0.9', '2.2.2.2', 'said']],
    ['two, of two proxies', 2, '::1 ,2.2.2.2', ['::1 ,2.2.2.2,10.0.0.9', '::1', 'said']],
    ['too few', 3, '1.1.1.1', ['1.1.1.1,10.0.0.9', '10.0.0.9', 'said']],
    ['no address', 1, 'evil', ['evil,10.0.0.9', '10.0.0.9', 'said']],
    ['an empty line', 0, '', ['10.0.0.9', '10.0.0.9', 'http']],
  ])('at an edge: %s (%i hops)', (_what, xffTrustedHops, before, wanted) => {
    const headers = { 'x-forwarded-proto': 'said', ...(before === undefined ? {} : { 'x-forwarded-for': before }) };
    expect(seen({ headers, manager: { useRemoteAddress: true, xffTrustedHops } })).toEqual(wanted);
  });

  it('say nothing of a caller over a Unix socket, who has no address', () => {
    const peer = { ...STRANGER, address: '/run/app.sock' };
    const manager = { useRemoteAddress: true };
    expect(seen({ peer, manager })).toEqual([undefined, undefined, 'http']);
    const told = { headers: { 'x-forwarded-for': '1.1.1.1' }, manager: { ...manager, xffTrustedHops: 1 } };
    expect(seen({ peer, ...told })).toEqual(['1.1.1.1', '1.1.1.1', 'http']);
  });

  it('in the mesh stay as they are; the scheme is said where nobody has', () => {
    expect(seen({ headers: { 'x-forwarded-for': '1.1.1.1', 'x-forwarded-proto': 'said' } })).toEqual(['1.1.1.1', undefined, 'said']);
    expect(seen({})).toEqual([undefined, undefined, 'http']);
  });

  it('an id is made at an edge, and where there is none', () => {
    const id = (asked: Asked): string | undefined => entering(asked).header('x-request-id');
    expect(id({})).toBe('mine');
    const made = expect.stringMatching(/^[0-9a-f-]{36}$/);
    expect([id({ manager: { useRemoteAddress: true } }), id({ headers: { 'x-request-id': '' } })]).toEqual([made, made]);
    const none = { generatesRequestId: false };
    expect([id({ manager: { useRemoteAddress: true, ...none } }), id({ headers: { 'x-request-id': '' }, manager: none })]).toEqual([
      'mine',
      '',
    ]);
  });
});

describe('x-forwarded-client-cert', () => {
  type Mode = HttpConnectionManager['forwardClientCert'];
  const xfcc = (forwardClientCert: Mode, more: Asked = {}): string | undefined =>
    entering({ peer: CALLER, ...more, manager: { forwardClientCert, ...more.manager } }).header('x-forwarded-client-cert');
  const forged = { headers: { 'x-forwarded-client-cert': 'URI=forged' } };
  const own = `By=${OWN};Hash=abc`;

  it.each<[mode: Mode, without: string | undefined, withForged: string | undefined, stranger: string | undefined]>([
    ['SANITIZE', undefined, undefined, undefined],
    ['FORWARD_ONLY', undefined, 'URI=forged', undefined],
    ['APPEND_FORWARD', own, `URI=forged,${own}`, undefined],
    ['SANITIZE_SET', own, own, undefined],
    ['ALWAYS_FORWARD_ONLY', undefined, 'URI=forged', 'URI=forged'],
  ])('%s: of a caller %s, with a forged one %s, of a stranger %s', (mode, without, withForged, stranger) => {
    expect([xfcc(mode), xfcc(mode, forged), xfcc(mode, { ...forged, peer: STRANGER })]).toEqual([without, withForged, stranger]);
  });

  it('says of the certificate what it is told to', () => {
    const peer: Peer = {
      ...CALLER,
      uriSans: ['u:1', 'u:2'],
      dnsSans: ['d.1', 'd.2'],
      subject: 'O="x"',
      certificatePem: 'P M\n',
      certificateChainPem: () => 'P M\nC+A/=\n',
    };
    const clientCertDetails = ALL_DETAILS;
    expect(xfcc('SANITIZE_SET', { peer, manager: { clientCertDetails } })).toBe(
      `${own};Cert="P%20M%0A";Chain="P%20M%0AC%2BA%2F%3D%0A";Subject="O=\\"x\\"";URI=u:1;URI=u:2;DNS=d.1;DNS=d.2`,
    );
    for (const [name, text] of [
      ['cert', 'Cert="P%20M%0A"'],
      ['chain', 'Chain="P%20M%0AC%2BA%2F%3D%0A"'],
      ['subject', 'Subject="O=\\"x\\""'],
      ['uri', 'URI=u:1;URI=u:2'],
      ['dns', 'DNS=d.1;DNS=d.2'],
    ] as const) {
      const only = { subject: false, cert: false, chain: false, dns: false, uri: false, [name]: true };
      expect(xfcc('SANITIZE_SET', { peer: { ...peer }, manager: { clientCertDetails: only } })).toBe(`${own};${text}`);
    }
    expect(
      xfcc('SANITIZE_SET', {
        peer: { ...CALLER },
        manager: { clientCertDetails: { ...ALL_DETAILS, subject: false, uri: false, dns: false } },
      }),
    ).toBe(own);
  });

  it('names the certificate that was shown, the own identity, or nobody', () => {
    expect(xfcc('SANITIZE_SET', { peer: { ...CALLER, shownUriSan: 'spiffe://shown' } })).toBe('By=spiffe://shown;Hash=abc');
    expect(xfcc('SANITIZE_SET', { peer: { ...CALLER }, own: '' })).toBe('Hash=abc');
  });

  it('of names that could be read as several, or as another element, has them escaped', () => {
    const peer: Peer = { ...CALLER, uriSans: ['a,By=b;Hash="c"'], dnsSans: ['d;e,f"'], subject: 'CN=é\n' };
    expect(xfcc('SANITIZE_SET', { peer, manager: { clientCertDetails: { ...ALL_DETAILS, cert: false } } })).toBe(
      `${own};Subject="CN=%C3%A9%0A";URI=a%2CBy=b%3BHash=%22c%22;DNS=d%3Be%2Cf%22`,
    );
  });

  it('follows the configuration on a connection that stays', () => {
    const peer: Peer = { ...CALLER };
    const uri = { clientCertDetails: { subject: false, cert: false, chain: false, dns: false, uri: true } };
    const first = xfcc('SANITIZE_SET', { peer });
    expect(xfcc('SANITIZE_SET', { peer, manager: uri })).toBe(`${own};URI=${CALLER.uriSans[0]}`);
    expect(xfcc('SANITIZE_SET', { peer, manager: uri, own: 'spiffe://new' })).toBe(`By=spiffe://new;Hash=abc;URI=${CALLER.uriSans[0]}`);
    expect(first).toBe(own);
  });
});
