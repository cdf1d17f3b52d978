/*
 * What an AuthorizationPolicy means, written down as plainly as its documentation says it: no compilation, no regular expressions, no
 * speed. The RBAC filters that istiod makes of a policy must decide as this does.
 */

export interface Policy {
  readonly namespace: string;
  readonly action: string;
  readonly rules: readonly Rule[];
}

type Strings = readonly string[] | undefined;
export type Fields = Readonly<Record<string, Strings>>;

export interface Rule {
  readonly from?: readonly { readonly source: Fields }[];
  readonly to?: readonly { readonly operation: Fields }[];
  readonly when?: readonly { readonly key: string; readonly values?: readonly string[]; readonly notValues?: readonly string[] }[];
}

/** One request; empty = not there. */
export interface Call {
  /** SPIFFE id without its scheme; empty over plaintext. */
  readonly principal: string;
  readonly ip: string;
  readonly remoteIp: string;
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly port: number;
  readonly destinationIp: string;
  readonly sni: string;
  /** Of every header that a condition names. */
  readonly header: string | undefined;
  readonly claims:
    | { readonly iss: string; readonly sub: string; readonly aud: readonly string[]; readonly azp: string; readonly nested: string }
    | undefined;
  readonly extra: string | undefined;
}

export interface TrustDomains {
  readonly own: string;
  readonly aliases: readonly string[];
}

export function matches(policy: Policy, call: Call, trust: TrustDomains): boolean {
  return policy.rules.some(
    (rule) =>
      (rule.from === undefined || rule.from.some(({ source }) => sourceMatches(source, call, policy.namespace, trust))) &&
      (rule.to === undefined || rule.to.some(({ operation }) => operationMatches(operation, call))) &&
      (rule.when ?? []).every(({ key, values, notValues }) => {
        const test = (wanted: string): boolean => conditionMatches(key, wanted, call, trust);
        return (values === undefined || values.some(test)) && !(notValues ?? []).some(test);
      }),
  );
}

function sourceMatches(source: Fields, call: Call, namespace: string, trust: TrustDomains): boolean {
  return both(source, {
    principals: (wanted) => principalMatches(wanted, call, trust),
    requestPrincipals: (wanted) => requestPrincipalMatches(wanted, call),
    namespaces: (wanted) => namespaceMatches(wanted, call),
    serviceAccounts: (wanted) => {
      const [first = '', second] = wanted.split('/');
      const [, , ns, , sa] = call.principal.split('/');
      return second === undefined ? ns === namespace && sa === first : ns === first && sa === second;
    },
    trustDomains: (wanted) => call.principal !== '' && like(wanted, call.principal.split('/')[0]!),
    ipBlocks: (wanted) => inRange(wanted, call.ip),
    remoteIpBlocks: (wanted) => inRange(wanted, call.remoteIp || call.ip),
  });
}

function operationMatches(operation: Fields, call: Call): boolean {
  return both(operation, {
    hosts: (wanted) => wanted === '*' || like(wanted.toLowerCase(), call.host.toLowerCase()),
    methods: (wanted) => wanted === '*' || like(wanted, call.method),
    paths: (wanted) => pathMatches(wanted, call.path),
    ports: (wanted) => String(call.port) === wanted,
  });
}

/** Every field needs one of its values, and none of the values of its `not` field. */
function both(fields: Fields, tests: Readonly<Record<string, (wanted: string) => boolean>>): boolean {
  for (const [name, test] of Object.entries(tests)) {
    const not = `not${name[0]!.toUpperCase()}${name.slice(1)}`;
    if (fields[name] !== undefined && !fields[name].some(test)) return false;
    if (fields[not]?.some(test)) return false;
  }
  return true;
}

function conditionMatches(key: string, wanted: string, call: Call, trust: TrustDomains): boolean {
  switch (key) {
    case 'request.headers[X-header]':
    case 'request.headers[X-abc]':
      return call.header !== undefined && (wanted === '*' || like(wanted, call.header));
    case 'source.ip':
      return inRange(wanted, call.ip);
    case 'remote.ip':
      return inRange(wanted, call.remoteIp || call.ip);
    case 'source.namespace':
      return namespaceMatches(wanted, call);
    case 'source.principal':
      return principalMatches(wanted, call, trust);
    case 'request.auth.principal':
      return requestPrincipalMatches(wanted, call);
    case 'request.auth.audiences':
      return call.claims?.aud.some((audience) => like(wanted, audience)) ?? false;
    case 'request.auth.presenter':
      return call.claims !== undefined && like(wanted, call.claims.azp);
    case 'request.auth.claims[iss]':
      return call.claims !== undefined && like(wanted, call.claims.iss);
    case 'request.auth.claims[nested1][nested2]':
      return call.claims !== undefined && like(wanted, call.claims.nested);
    case 'destination.ip':
      return inRange(wanted, call.destinationIp);
    case 'destination.port':
      return String(call.port) === wanted;
    case 'connection.sni':
      return like(wanted, call.sni);
    case 'experimental.envoy.filters.a.b[c]':
      return call.extra !== undefined && like(wanted, call.extra);
    default:
      throw new Error(`the reference does not know the condition ${key}`);
  }
}

/** `*` = anything but nothing, `*x` and `x*` = end and beginning. */
function like(wanted: string, value: string): boolean {
  if (wanted === '*') return value !== '';
  if (wanted.startsWith('*')) return value.endsWith(wanted.slice(1));
  if (wanted.endsWith('*')) return value.startsWith(wanted.slice(0, -1));
  return value === wanted;
}

/** A principal of one of the mesh's trust domains stands for the same one of all of them. */
function principalMatches(wanted: string, call: Call, trust: TrustDomains): boolean {
  if (call.principal === '') return false;
  if (like(wanted, call.principal)) return true;
  const [domain = '', ...rest] = wanted.split('/');
  const all = [trust.own, ...trust.aliases];
  if (domain === '*' || rest.length === 0 || !all.some((one) => like(domain, one))) return false;
  return all.some((one) => like([one, ...rest].join('/'), call.principal));
}

/** `<issuer>/<subject>`; without a slash a text is an issuer, or the end of a subject. */
function requestPrincipalMatches(wanted: string, call: Call): boolean {
  if (call.claims === undefined) return false;
  const { iss, sub } = call.claims;
  if (wanted === '*') return iss !== '' && sub !== '';
  const slash = wanted.lastIndexOf('/');
  if (slash !== -1) return like(wanted.slice(0, slash), iss) && like(wanted.slice(slash + 1), sub);
  if (wanted.startsWith('*')) return iss !== '' && like(wanted, sub);
  if (wanted.endsWith('*')) return like(wanted, iss) && sub !== '';
  return iss === wanted && sub === '';
}

function namespaceMatches(wanted: string, call: Call): boolean {
  return call.principal !== '' && (wanted === '*' || like(wanted, call.principal.split('/')[2] ?? ''));
}

function pathMatches(wanted: string, path: string): boolean {
  if (!wanted.includes('{')) return like(wanted, path);
  return segmentsMatch(wanted.split('/').slice(1), path.split('/').slice(1));
}

function segmentsMatch(wanted: readonly string[], path: readonly string[]): boolean {
  const [first, ...rest] = wanted;
  if (first === undefined) return path.length === 0;
  if (path.length === 0) return false;
  if (first === '{**}') {
    for (let taken = 1; taken <= path.length; taken++) if (segmentsMatch(rest, path.slice(taken))) return true;
    return false;
  }
  return (first === '{*}' ? path[0] !== '' : path[0] === first) && segmentsMatch(rest, path.slice(1));
}

/** `1.2.3.4` or `5.6.0.0/16`, bit by bit. */
function inRange(wanted: string, address: string): boolean {
  const bits = (text: string): string =>
    text
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('');
  const [range = '', length = '32'] = wanted.split('/');
  return address !== '' && bits(address).slice(0, Number(length)) === bits(range).slice(0, Number(length));
}
