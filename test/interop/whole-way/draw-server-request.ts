import type { Document } from '../istiod/mesh/document.ts';
import type { Random } from '../istiod/mesh/random.ts';
import { type Drawn, drawHead, drawRest } from './draw-request.ts';
import { drawToken } from './draw-token.ts';
import { addressOfName } from './loopback.ts';
import type { Request, RequestCaller } from './trial.ts';

type Json = Record<string, unknown>;

/** A request to a workload that often meets the policies of the mesh. */
export function drawServerRequest(drawn: Drawn, app: string): Request {
  const { random, mesh } = drawn;
  const operations = rulesOf(mesh.documents).flatMap(({ to = [] }) => to.map(({ operation }) => operation));
  const operation: Json = operations.length > 0 && random.chance(0.6) ? random.pick(operations) : {};
  const head = drawHead(random, undefined);
  const rest = drawRest(random);
  const path = sampleOf(random, operation.paths) ?? head.path;
  return {
    ...head,
    ...rest,
    answers: rest.answers.filter(({ hangUp }) => hangUp !== true),
    host: sampleOf(random, operation.hosts) ?? random.pick(HOSTS),
    port: random.pick(portsOf(mesh.documents, app, drawn.namespace)),
    method: methodOf(sampleOf(random, operation.methods)) ?? head.method,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: { ...head.headers, ...drawConditions(random), ...drawToken(random, mesh.documents) },
    caller: drawCaller(random, mesh.config.trustDomain as string | undefined),
  };
}

const HOSTS = ['shop.example.com', 'api.example.com', 'cart', 'Cart.shop', 'db.shop.svc.cluster.local'];

interface Rule {
  readonly to?: readonly { readonly operation: Json }[];
}

function rulesOf(documents: readonly Document[]): Rule[] {
  return documents.filter(({ kind }) => kind === 'AuthorizationPolicy').flatMap(({ spec }) => ((spec as Json).rules ?? []) as Rule[]);
}

/** A value that one of the patterns takes, or nearly. */
function sampleOf(random: Random, patterns: unknown): string | undefined {
  if (!Array.isArray(patterns)) return undefined;
  const pattern = random.pick(patterns as string[]);
  return pattern
    .replaceAll('{**}', random.pick(['x/y', 'x']))
    .replaceAll(/\{\*\}/g, 'x')
    .replaceAll('*', random.pick(['x', 'xy']));
}

function methodOf(method: string | undefined): string | undefined {
  return method === undefined || ['GET', 'POST', 'PUT'].includes(method) ? method : 'POST';
}

/** Ports of HTTP that the Services of a workload lead to. */
function portsOf(documents: readonly Document[], app: string, namespace: string): number[] {
  const own = documents.filter(
    ({ kind, metadata }) => kind === 'EndpointSlice' && metadata.namespace === namespace && metadata.name === `${app}-s1`,
  );
  const ports = own.flatMap(({ ports: each }) => each as { name: string; port: number; protocol: string }[]);
  const http = ports.filter(
    ({ name, protocol }) => protocol === 'TCP' && /^(http(?!s)|grpc|api|plain|x|y|same)/.test(name) && name !== 'http-z',
  );
  return http.length === 0 ? [8080] : http.map(({ port }) => port);
}

function drawConditions(random: Random): Record<string, string> {
  return {
    ...random.maybe(0.4, () => ({ 'x-tenant': random.pick(['a', 'bee', 'c']) })),
    ...random.maybe(0.3, () => ({
      'x-forwarded-for': random.pick(['192.168.1.1', '203.0.113.7', '192.168.1.1, 203.0.113.7', '10.9.9.9, 192.168.0.1, 1.2.3.4']),
    })),
  };
}

function drawCaller(random: Random, trustDomain = 'cluster.local'): RequestCaller {
  const address = random.pick([addressOfName('caller'), addressOfName('other'), '127.0.0.1']);
  if (random.chance(0.4)) return { address };
  const domain = random.chance(0.1) ? 'old-td' : trustDomain;
  return {
    address,
    spiffeId: `spiffe://${domain}/ns/${random.pick(['shop', 'web', 'istio-system'])}/sa/${random.pick(['cart', 'reviews', 'default'])}`,
  };
}
