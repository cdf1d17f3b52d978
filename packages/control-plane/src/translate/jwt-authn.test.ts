import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocuments } from '@ripstop/istio-api';
import {
  fromProtoJson,
  HttpConnectionManager,
  isAny,
  JwtAuthentication,
  LISTENER_TYPE_URL,
  type Listener,
  unpackAny,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { UNKNOWN_KEYS } from '../jwks/unknown-keys.ts';
import { parseNodes } from '../model/named-node.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { PushContext } from '../push/push-context.ts';
import { translate } from './translate.ts';

const sidecar = node('sidecar', 'web');
const URI = 'https://issuer.test/keys';

function node(type: string, app: string): ProxyNode {
  return proxyNodeOf({
    id: `${type}~10.0.0.1~${app}-1.default~default.svc.cluster.local`,
    metadata: { LABELS: { app }, NAMESPACE: 'default' },
  });
}

const rule = (fields: string, more = ''): string =>
  `apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: { name: p${more} }\nspec: { jwtRules: [${fields}] }`;

function push(documents: readonly string[], tokenKeys?: ReadonlyMap<string, string>): PushContext {
  const { objects } = parseDocuments(documents.join('\n---\n'), { file: 'a.yaml' });
  return new PushContext({ objects, workloads: [], ...(tokenKeys === undefined ? {} : { tokenKeys }) });
}

/** The filter in every connection manager of a node's inbound side, with the names of the filters around it. */
function jwtFilters(of: ProxyNode, context: PushContext): { config: JwtAuthentication; names: string[] }[] {
  return translate(LISTENER_TYPE_URL, of, context, []).flatMap(({ name, message }) => {
    if (name !== 'virtualInbound' && of.dialect !== 'router') return [];
    return (message as Listener).filterChains.flatMap(({ filters }) =>
      filters.flatMap(({ configType }) => {
        if (configType?.$case !== 'typedConfig' || !isAny(HttpConnectionManager, configType.value)) return [];
        const { httpFilters } = unpackAny(HttpConnectionManager, configType.value);
        const jwt = httpFilters.find((filter) => filter.name === 'envoy.filters.http.jwt_authn')?.configType;
        const names = httpFilters.map((filter) => filter.name);
        return jwt?.$case === 'typedConfig' ? [{ config: unpackAny(JwtAuthentication, jwt.value), names }] : [];
      }),
    );
  });
}

function keysOf({ providers }: JwtAuthentication): unknown[] {
  return Object.values(providers).map(({ jwksSourceSpecifier }) =>
    jwksSourceSpecifier?.$case === 'localJwks' ? jwksSourceSpecifier.value.specifier?.value : jwksSourceSpecifier?.$case,
  );
}

describe('RequestAuthentication', () => {
  it('stands in every HTTP chain, in front of RBAC', () => {
    const deny = 'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: d }\nspec: { action: DENY, rules: [{}] }';
    const found = jwtFilters(sidecar, push([rule("{ issuer: a, jwks: 'x' }"), deny]));
    expect(found.length).toBeGreaterThan(1);
    for (const { names } of found) expect(names.slice(0, 2)).toEqual(['envoy.filters.http.jwt_authn', 'envoy.filters.http.rbac']);
  });

  it('is none without rules, and none for workloads that it does not select', () => {
    expect(jwtFilters(sidecar, push([rule('')]))).toEqual([]);
    const elsewhere = rule("{ issuer: a, jwks: 'x' }").replace('name: p', 'name: p, namespace: other');
    expect(jwtFilters(sidecar, push([elsewhere]))).toEqual([]);
  });

  it('takes keys that were fetched, by URL or by discovery, and sends keys of nobody for those that were not', () => {
    const documents = [rule(`{ issuer: a, jwksUri: ${URI} }, { issuer: b }, { issuer: c, jwks_uri: https://c.test/ }`)];
    const fetched = new Map([
      [URI, 'keys of a'],
      ['discover b', 'keys of b'],
    ]);
    expect(keysOf(jwtFilters(sidecar, push(documents, fetched))[0]!.config)).toEqual(['keys of a', 'keys of b', UNKNOWN_KEYS]);
  });

  it('of several documents is one filter, sorted by issuer', () => {
    const [found] = jwtFilters(
      sidecar,
      push([rule("{ issuer: b, jwks: '2' }"), rule("{ issuer: a, jwks: '1' }, { issuer: c, jwks: '3' }", '2')]),
    );
    expect(Object.entries(found!.config.providers).map(([name, { issuer }]) => [name, issuer])).toEqual([
      ['origins-0', 'a'],
      ['origins-1', 'b'],
      ['origins-2', 'c'],
    ]);
  });

  it('at a gateway has the route chosen again, as istiod asks for it', () => {
    const gateway =
      'apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: edge }\nspec: { selector: { app: edge }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }';
    const [found] = jwtFilters(node('router', 'edge'), push([gateway, rule("{ issuer: a, jwks: 'x', spaceDelimitedClaims: [roles] }")]));
    expect(found!.config.providers['origins-0']).toMatchObject({
      clearRouteCache: true,
      normalizePayloadInMetadata: { spaceDelimitedClaims: ['permission', 'roles', 'scope'] },
    });
  });
});

const recorded = join(
  process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../../../shared/conformance'),
  'istiod-xds/security',
);
const present = existsSync(recorded);
if (!present) console.log(`skipped: recorded JWT filters of a real istiod (no ${recorded})`);

describe.skipIf(!present)('a real istiod’s JWT filter', () => {
  it.each(['sidecar-httpbin-v1', 'sidecar-both-v1'])('%s', (name) => {
    const { objects } = parseDocuments(
      ['kube.yaml', 'config.yaml', 'mesh.yaml']
        .map((file) => readFileSync(join(recorded, 'input', file), 'utf8'))
        .slice(0, 2)
        .join('\n---\n'),
      { file: 'a.yaml' },
    );
    const nodes = parseNodes(readFileSync(join(recorded, 'input/nodes.json'), 'utf8'), 'nodes.json');
    const of = nodes.find((entry) => entry.name === name)!.node;
    const expected = JSON.parse(readFileSync(join(recorded, 'expected', `${name}.json`), 'utf8')) as unknown;
    const wanted = find(expected, 'envoy.filters.http.jwt_authn')!.typed_config as Record<string, unknown>;
    const { '@type': _type, ...json } = wanted;
    const ours = jwtFilters(of, new PushContext({ objects, workloads: [] }))[0]!.config;
    expect(JwtAuthentication.toJSON(ours)).toEqual(JwtAuthentication.toJSON(fromProtoJson(JwtAuthentication, json)));
  });
});

function find(json: unknown, name: string): Record<string, unknown> | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  if ((json as Record<string, unknown>).name === name) return json as Record<string, unknown>;
  for (const value of Object.values(json)) {
    const found = find(value, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
