import type { Document } from '../istiod/mesh/document.ts';

type Json = Record<string, unknown>;

/** A route of either API: a VirtualService, an HTTPRoute or a GRPCRoute. */
export interface DrawnRoute {
  readonly namespace: string;
  /** As they are written; empty = every host. */
  readonly hosts: readonly string[];
  /** In the form of a VirtualService's. */
  readonly matches: readonly Json[];
}

/** Of calls from workloads. */
export function meshRoutes(documents: readonly Document[]): DrawnRoute[] {
  return documents.flatMap((document) => {
    const { kind, spec } = document as unknown as { kind: string; spec: Json };
    if (kind === 'VirtualService' && isOfMesh(spec)) return [ofVirtualService(document)];
    if (!API_ROUTES.has(kind)) return [];
    const hosts = parentsOf(spec).flatMap(({ kind: parent, name, namespace }) =>
      parent === 'Service' ? [`${name}.${namespace}.svc.cluster.local`] : [],
    );
    return hosts.length > 0 ? [ofApiRoute(document, hosts)] : [];
  });
}

/** Of what comes to gateways. */
export function gatewayRoutes(documents: readonly Document[]): DrawnRoute[] {
  return documents.flatMap((document) => {
    const { kind, spec } = document as unknown as { kind: string; spec: Json };
    if (kind === 'VirtualService' && isOfGateway(spec)) return [ofVirtualService(document)];
    if (!API_ROUTES.has(kind) || !parentsOf(spec).some(({ kind: parent }) => parent !== 'Service')) return [];
    return [ofApiRoute(document, (spec.hostnames ?? []) as string[])];
  });
}

const API_ROUTES: ReadonlySet<string> = new Set(['HTTPRoute', 'GRPCRoute']);

interface Parent {
  readonly kind?: string;
  readonly name: string;
  readonly namespace: string;
}

function parentsOf(spec: Json): readonly Parent[] {
  return spec.parentRefs as Parent[];
}

function isOfMesh({ hosts, gateways }: Json): boolean {
  return hosts !== undefined && (gateways === undefined || (gateways as string[]).includes('mesh'));
}

function isOfGateway({ hosts, gateways }: Json): boolean {
  return hosts !== undefined && ((gateways ?? []) as string[]).some((name) => name !== 'mesh');
}

function ofVirtualService({ metadata, spec }: Document): DrawnRoute {
  const { hosts, http = [] } = spec as { hosts: string[]; http?: { match?: Json[] }[] };
  return { namespace: metadata.namespace ?? '', hosts, matches: http.flatMap(({ match = [] }) => match) };
}

function ofApiRoute({ kind, metadata, spec }: Document, hosts: readonly string[]): DrawnRoute {
  const { rules } = spec as { rules: { matches?: ApiMatch[] }[] };
  const matches = rules.flatMap(({ matches: each = [] }) => each).map(kind === 'GRPCRoute' ? matchOfCall : matchOfRequest);
  return { namespace: metadata.namespace ?? '', hosts, matches };
}

interface ApiMatch {
  readonly path?: ApiTest;
  readonly headers?: readonly ApiTest[];
  readonly queryParams?: readonly ApiTest[];
  /** Of a GRPCRoute: what is called. */
  readonly method?: string | { readonly type: string; readonly service?: string; readonly method?: string };
}

interface ApiTest {
  readonly type: string;
  readonly name?: string;
  readonly value: string;
}

function matchOfRequest({ path, headers = [], queryParams = [], method }: ApiMatch): Json {
  return {
    ...(path === undefined ? {} : { uri: testOf(path) }),
    ...(method === undefined ? {} : { method: { exact: method } }),
    headers: named(headers),
    queryParams: named(queryParams),
  };
}

function matchOfCall({ headers = [], method }: ApiMatch): Json {
  const { type = '', service = 'shop.Cart', method: name = 'Get' } = typeof method === 'object' ? method : {};
  const called = type === 'RegularExpression' ? 'shop.Other' : service;
  return { uri: { exact: `/${called}/${name}` }, method: { exact: 'POST' }, headers: named(headers) };
}

function named(tests: readonly ApiTest[]): Json {
  return Object.fromEntries(tests.map((test) => [test.name!, testOf(test)]));
}

const KINDS: Readonly<Record<string, string>> = { Exact: 'exact', PathPrefix: 'prefix', RegularExpression: 'regex' };

function testOf({ type, value }: ApiTest): Json {
  return { [KINDS[type]!]: value };
}
