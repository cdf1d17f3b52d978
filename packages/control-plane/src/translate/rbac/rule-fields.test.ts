import { describe, expect, it } from 'vitest';
import type { RuleOptions } from './rule.ts';
import { printedRule } from './testing/printed.ts';

type Rule = Parameters<typeof printedRule>[0];
type Operation = NonNullable<NonNullable<Rule['to']>[number]['operation']>;
type Source = NonNullable<NonNullable<Rule['from']>[number]['source']>;

const HTTP: RuleOptions = { namespace: 'foo', trustDomains: [], tcp: false, allow: true };
const JWT = 'envoy.filters.http.jwt_authn payload';

/** Field, what it becomes; HTTP: a TCP connection does not have it. */
const OPERATIONS: readonly [string, Operation, string, 'HTTP' | 'any'][] = [
  [
    'hosts, in any case',
    { hosts: ['a.com', '*.b.com', 'c.*', '*'], notHosts: ['x.com'] },
    'and(or(:authority exact (any case) a.com, :authority suffix (any case) .b.com, :authority prefix (any case) c., :authority present), not or(:authority exact (any case) x.com))',
    'HTTP',
  ],
  [
    'methods',
    { methods: ['GET', 'P*'], notMethods: ['*'] },
    'and(or(:method exact GET, :method prefix P), not or(:method present))',
    'HTTP',
  ],
  [
    'paths and templates',
    { paths: ['/a', '/b*', '*/c', '*', '/d/{*}', '/e/{**}/f'], notPaths: ['/z'] },
    'and(or(path exact /a, path prefix /b, path suffix /c, path regex .+, template /d/*, template /e/**/f), not or(path exact /z))',
    'HTTP',
  ],
  ['ports', { ports: ['80', '443'], notPorts: ['1'] }, 'and(or(port 80, port 443), not or(port 1))', 'any'],
  ['only what must not be', { notPorts: ['1'] }, 'and(not or(port 1))', 'any'],
];

const SOURCES: readonly [string, Source, string, 'HTTP' | 'any'][] = [
  [
    'principals',
    { principals: ['*', 'td/ns/a/sa/b', '*/sa/b', 'td/ns/a/*', '*x.+y'], notPrincipals: ['q'] },
    'and(or(caller regex .+, caller exact spiffe://td/ns/a/sa/b, caller regex spiffe://.*/sa/b, caller prefix spiffe://td/ns/a/, caller regex spiffe://.*x\\.\\+y), not or(caller exact spiffe://q))',
    'any',
  ],
  [
    'namespaces, whose dots are dots',
    { namespaces: ['a', 'b*', '*c', 'd.e'], notNamespaces: ['z'] },
    'and(or(caller regex .*/ns/a/.*, caller regex .*/ns/b.*/.*, caller regex .*/ns/.*c/.*, caller regex .*/ns/d\\.e/.*), not or(caller regex .*/ns/z/.*))',
    'any',
  ],
  [
    'service accounts, of the namespace of the policy when they name none',
    { serviceAccounts: ['sa1', 'ns/sa2', 'my.sa'], notServiceAccounts: ['z'] },
    'and(or(caller regex spiffe://.+/ns/foo/(.+/|)sa/sa1(/.+)?, caller regex spiffe://.+/ns/ns/(.+/|)sa/sa2(/.+)?, caller regex spiffe://.+/ns/foo/(.+/|)sa/my\\.sa(/.+)?), not or(caller regex spiffe://.+/ns/foo/(.+/|)sa/z(/.+)?))',
    'any',
  ],
  [
    'trust domains, whose star is no slash',
    { trustDomains: ['a.b', 'c*', '*.d', '*'], notTrustDomains: ['e'] },
    'and(or(caller prefix spiffe://a.b/, caller regex spiffe://c[^/]*/.*, caller regex spiffe://[^/]*\\.d/.*, caller prefix spiffe://), not or(caller prefix spiffe://e/))',
    'any',
  ],
  [
    'service accounts, trust domains and namespaces in this order',
    { namespaces: ['n'], trustDomains: ['t'], serviceAccounts: ['s'] },
    'and(or(caller regex spiffe://.+/ns/foo/(.+/|)sa/s(/.+)?), or(caller prefix spiffe://t/), or(caller regex .*/ns/n/.*))',
    'any',
  ],
  [
    'addresses of the connection, one address or a block',
    { ipBlocks: ['10.0.0.0/8', '1.2.3.4', '::1', 'fd00::/8'], notIpBlocks: ['2.2.2.2'] },
    'and(or(directRemoteIp 10.0.0.0/8, directRemoteIp 1.2.3.4/32, directRemoteIp ::1/128, directRemoteIp fd00::/8), not or(directRemoteIp 2.2.2.2/32))',
    'any',
  ],
  [
    'addresses of the caller',
    { remoteIpBlocks: ['10.0.0.0/8'], notRemoteIpBlocks: ['2.2.2.2'] },
    'and(or(remoteIp 10.0.0.0/8), not or(remoteIp 2.2.2.2/32))',
    'any',
  ],
  [
    'request principals, parted at the last slash',
    { requestPrincipals: ['iss/sub', '*', 'iss/*', '*/sub', 'a/b/c', 'iss', '*x', 'https://i/s*'] },
    `and(or(${[
      [`exact iss`, `exact sub`],
      [`regex .+`, `regex .+`],
      [`exact iss`, `regex .+`],
      [`regex .+`, `exact sub`],
      [`exact a/b`, `exact c`],
      [`exact iss`, `exact `],
      [`regex .+`, `suffix x`],
      [`exact https://i`, `prefix s`],
    ]
      .map(([issuer, subject]) => `and(${JWT}.iss ${issuer}, ${JWT}.sub ${subject})`)
      .join(', ')}))`,
    'HTTP',
  ],
  [
    'one request principal, and one that must not be',
    { requestPrincipals: ['iss/sub'], notRequestPrincipals: ['*'] },
    `and(and(${JWT}.iss exact iss, ${JWT}.sub exact sub), not and(${JWT}.iss regex .+, ${JWT}.sub regex .+))`,
    'HTTP',
  ],
];

/** A key of `when`, values, what they become, and on which side of the policy. */
const CONDITIONS: readonly [string, readonly string[], string, 'permission' | 'principal', 'HTTP' | 'any'][] = [
  ['source.ip', ['1.1.1.1'], 'or(directRemoteIp 1.1.1.1/32)', 'principal', 'any'],
  ['remote.ip', ['1.1.1.1'], 'or(remoteIp 1.1.1.1/32)', 'principal', 'any'],
  ['source.namespace', ['a'], 'or(caller regex .*/ns/a/.*)', 'principal', 'any'],
  ['source.serviceAccount', ['a'], 'or(caller regex spiffe://.+/ns/foo/(.+/|)sa/a(/.+)?)', 'principal', 'any'],
  ['source.principal', ['a'], 'or(caller exact spiffe://a)', 'principal', 'any'],
  ['source.trustDomain', ['a'], 'or(caller prefix spiffe://a/)', 'principal', 'any'],
  ['request.auth.principal', ['a/b'], `and(${JWT}.iss exact a, ${JWT}.sub exact b)`, 'principal', 'HTTP'],
  ['request.auth.audiences', ['a'], `${JWT}.aud or(has exact a, exact a)`, 'principal', 'HTTP'],
  ['request.auth.presenter', ['a'], `${JWT}.azp or(has exact a, exact a)`, 'principal', 'HTTP'],
  ['request.auth.claims[a]', ['x', 'y*'], `${JWT}.a or(has or(exact x, prefix y), or(exact x, prefix y))`, 'principal', 'HTTP'],
  ['request.auth.claims[a][b.c]', ['x'], `${JWT}.a.b.c or(has exact x, exact x)`, 'principal', 'HTTP'],
  ['request.headers[x-a]', ['*', 'b'], 'or(x-a present, x-a exact b)', 'principal', 'HTTP'],
  ['request.headers[:path]', ['/a*'], 'or(:path prefix /a)', 'principal', 'HTTP'],
  ['destination.ip', ['1.1.1.1'], 'or(destinationIp 1.1.1.1/32)', 'permission', 'any'],
  ['destination.port', ['80'], 'or(port 80)', 'permission', 'any'],
  ['connection.sni', ['*.a.com'], 'or(sni suffix .a.com)', 'permission', 'any'],
  [
    'experimental.envoy.filters.network.x[key]',
    ['x', '[y]', '[z', 'w]'],
    'envoy.filters.network.x key or(exact x, has exact y, exact [z, exact w])',
    'permission',
    'HTTP',
  ],
  ['experimental.envoy.filters.network.x[key]', ['[y]'], 'envoy.filters.network.x key has exact y', 'permission', 'HTTP'],
];

/** What a filter for TCP makes of it: an ALLOW rule is dropped, another action judges by what is left. */
function expectOverTcp(rule: Rule, http: boolean, text: string): void {
  expect(printedRule(rule, { ...HTTP, tcp: true })).toBe(http ? undefined : text);
  expect(printedRule(rule, { ...HTTP, tcp: true, allow: false })).toBe(http ? 'and(any) => and(any)' : text);
}

describe('a rule becomes a policy of Envoy', () => {
  it.each(OPERATIONS)('with %s', (_what, operation, expected, on) => {
    const rule = { to: [{ operation }] };
    const text = `${expected} => and(any)`;
    expect(printedRule(rule, HTTP)).toBe(text);
    expectOverTcp(rule, on === 'HTTP', text);
  });

  it.each(SOURCES)('with %s', (_what, source, expected, on) => {
    const rule = { from: [{ source }] };
    const text = `and(any) => ${expected}`;
    expect(printedRule(rule, HTTP)).toBe(text);
    expectOverTcp(rule, on === 'HTTP', text);
  });

  it.each(CONDITIONS)('when %s is one of %j', (key, values, expected, side, on) => {
    const policy = (text: string): string => (side === 'permission' ? `and(${text}) => and(any)` : `and(any) => and(${text})`);
    expect(printedRule({ when: [{ key, values: [...values] }] }, HTTP)).toBe(policy(expected));
    expect(printedRule({ when: [{ key, notValues: [...values] }] }, HTTP)).toBe(policy(`not ${expected}`));
    expectOverTcp({ when: [{ key, values: [...values] }] }, on === 'HTTP', policy(expected));
  });

  it('that asks each source, each operation and all conditions', () => {
    const rule: Rule = {
      from: [{ source: { namespaces: ['a'] } }, { source: { ipBlocks: ['1.1.1.1'] } }],
      to: [{ operation: { ports: ['1'] } }, { operation: { methods: ['GET'], paths: ['/a'] } }],
      when: [
        { key: 'connection.sni', values: ['x'] },
        { key: 'source.principal', values: ['p'] },
      ],
    };
    expect(printedRule(rule, HTTP)).toBe(
      'and(or(port 1), or(sni exact x)) | and(or(:method exact GET), or(path exact /a), or(sni exact x)) => ' +
        'and(or(caller regex .*/ns/a/.*), or(caller exact spiffe://p)) | and(or(directRemoteIp 1.1.1.1/32), or(caller exact spiffe://p))',
    );
  });

  it.each([
    ['nothing', {}],
    ['an operation and a source without fields', { to: [{ operation: {} }], from: [{ source: {} }] }],
    ['an operation and a source that are missing', { to: [{}], from: [{}] }],
    ['lists without items', { to: [{ operation: { hosts: [] } }], from: [{ source: { namespaces: [], notNamespaces: [] } }], when: [] }],
  ])('that matches everything for %s', (_what, rule) => {
    expect(printedRule(rule as Rule, HTTP)).toBe('and(any) => and(any)');
  });

  it.each([
    'source.ips',
    'xsource.ip',
    'request.headers[]',
    'request.headers[a',
    'request.auth.claims',
    'request.auth.claims[a]x',
    'xrequest.auth.claims[a]',
    'xrequest.headers[a]',
    'experimental.envoy.x[a]',
    'xexperimental.envoy.filters.a[b]',
    'toString',
    'request.headers[a]x',
    'experimental.envoy.filters.a[b]x',
  ])('unless its condition is %j', (key) => {
    expect(() => printedRule({ when: [{ key, values: ['x'] }] }, HTTP)).toThrow(`unknown condition key "${key}"`);
  });

  it.each([
    ['td/ns/a/sa/b', ['td', 'old'], ['td/ns/a/sa/b', 'old/ns/a/sa/b']],
    ['cluster.local/ns/a/sa/b', ['td'], ['td/ns/a/sa/b']],
    ['cluster.local/ns/a/sa/b', ['cluster.local', 'td'], ['cluster.local/ns/a/sa/b', 'td/ns/a/sa/b']],
    ['far/ns/a/sa/b', ['td', 'old'], ['far/ns/a/sa/b']],
    ['td/ns/a/*', ['td', 'old'], ['td/ns/a/*']],
    ['td/ns/a/sa/b/c', ['td', 'old'], ['td/ns/a/sa/b/c']],
    ['o*/ns/a/sa/b', ['td', 'old'], ['td/ns/a/sa/b', 'old/ns/a/sa/b']],
    ['*d/ns/a/sa/b', ['td', 'old', 'x'], ['*d/ns/a/sa/b', 'x/ns/a/sa/b']],
    ['td/ns/a/sa/b', ['t*', 'x'], ['t*/ns/a/sa/b', 'x/ns/a/sa/b']],
    ['td/ns/a/sa/b', ['*d', 'x'], ['*d/ns/a/sa/b', 'x/ns/a/sa/b']],
    ['far/ns/a/sa/b', ['*'], ['*/ns/a/sa/b']],
    ['*/ns/a/sa/b', ['td', 'old'], ['*/ns/a/sa/b']],
    ['td/ns/a/sa/b', [], ['td/ns/a/sa/b']],
    ['cluster.local/ns/a/sa/b', [], ['cluster.local/ns/a/sa/b']],
    ['tx/ns/a/sa/b', ['o*', 'td'], ['tx/ns/a/sa/b']],
    ['td*/ns/a/sa/b', ['td'], ['td/ns/a/sa/b']],
    ['tdx/ns/a/sa/b', ['td'], ['tdx/ns/a/sa/b']],
  ])('whose principal %s in a mesh of %j is one of %j', (principal, trustDomains, expected) => {
    const callers = expected.map((text) =>
      text.startsWith('*')
        ? `caller regex spiffe://.*${text.slice(1)}`
        : text.endsWith('*')
          ? `caller prefix spiffe://${text.slice(0, -1)}`
          : `caller exact spiffe://${text}`,
    );
    expect(printedRule({ from: [{ source: { principals: [principal] } }] }, { ...HTTP, trustDomains })).toBe(
      `and(any) => and(or(${callers.join(', ')}))`,
    );
  });
});
