import type { Answer } from '../../simulation/row.ts';
import type { Document } from '../istiod/mesh/document.ts';
import type { Random } from '../istiod/mesh/random.ts';
import type { Mesh } from '../istiod/mesh/random-mesh.ts';
import { type DrawnRoute, meshRoutes } from './routes.ts';
import type { Request } from './trial.ts';

type Json = Record<string, unknown>;

/** What is drawn from: the documents of a mesh, and where the caller is. */
export interface Drawn {
  readonly random: Random;
  readonly mesh: Mesh;
  /** Of the caller. */
  readonly namespace: string;
}

/** A request that often meets what the mesh configures for the way out of a workload. */
export function drawRequest(drawn: Drawn): Request {
  const { random, mesh } = drawn;
  const services = mesh.documents.flatMap((document) => targetsOf(document, drawn));
  const routed = meshRoutes(mesh.documents);
  const route = routed.length > 0 && random.chance(0.6) ? random.pick(routed) : undefined;
  const target = random.chance(0.04) || services.length === 0 ? NOBODY : random.pick(services);
  if (route === undefined) return { ...target, ...drawHead(random, undefined), ...drawRest(random) };
  const host = hostOf(random, route, services);
  const ports = services.filter((service) => service.host === host).map(({ port }) => port);
  return { host, port: ports.length > 0 ? random.pick(ports) : random.pick([80, 8080]), ...drawHead(random, route), ...drawRest(random) };
}

interface Target {
  readonly host: string;
  readonly port: number;
}

const NOBODY: Target = { host: 'nobody.example.org', port: 80 };

/** Names and ports of HTTP that a document gives, as an app of the namespace may write them. */
function targetsOf({ kind, metadata, spec }: Document, { random, namespace }: Drawn): Target[] {
  if (kind === 'Service') {
    const { ports = [] } = spec as { ports?: Port[] };
    const whole = `${metadata.name}.${metadata.namespace}.svc.cluster.local`;
    const short = metadata.namespace === namespace ? metadata.name : `${metadata.name}.${metadata.namespace}`;
    return ports.filter(isHttp).flatMap(({ port }) => [
      { host: whole, port },
      { host: random.pick([whole, short]), port },
    ]);
  }
  if (kind !== 'ServiceEntry') return [];
  const { hosts, ports } = spec as { hosts: string[]; ports: { number: number; protocol?: string }[] };
  const http = ports.filter(({ protocol = 'HTTP' }) => ['HTTP', 'HTTP2', 'GRPC'].includes(protocol));
  return hosts.flatMap((host) => http.map(({ number }) => ({ host: concrete(random, host, []), port: number })));
}

interface Port {
  readonly name: string;
  readonly port: number;
  readonly protocol?: string;
  readonly appProtocol?: string;
}

/** Whether istiod takes the port for HTTP, or looks at what comes. */
function isHttp({ name, protocol = 'TCP', appProtocol }: Port): boolean {
  if (protocol !== 'TCP') return false;
  if (appProtocol !== undefined) return appProtocol !== 'tcp';
  return !/^(tcp|https|tls|mysql)/.test(name);
}

function hostOf(random: Random, { namespace, hosts }: DrawnRoute, services: readonly Target[]): string {
  const host = random.pick(hosts);
  if (host.includes('*')) return concrete(random, host, services);
  return host.includes('.') ? host : `${host}.${namespace}.svc.cluster.local`;
}

/** A name that a wildcard covers. */
export function concrete(random: Random, host: string, services: readonly Target[]): string {
  if (!host.startsWith('*')) return host;
  const covered = services.map((service) => service.host).filter((name) => name.endsWith(host.slice(1)));
  return covered.length > 0 && random.chance(0.8) ? random.pick(covered) : `${random.pick(['api', 'www', 'other'])}${host.slice(1)}`;
}

/** Method, path and headers that one of a route's matches takes, or nearly. */
export function drawHead(random: Random, route: DrawnRoute | undefined): Pick<Request, 'method' | 'path' | 'headers'> {
  const matches = route?.matches ?? [];
  const match: Json = matches.length > 0 && random.chance(0.85) ? random.pick(matches) : {};
  const path = sample(random, match.uri) ?? random.pick(PATHS);
  const query = Object.entries((match.queryParams ?? {}) as Json).map(([name, test]) => `${name}=${sample(random, test) ?? '1'}`);
  if (random.chance(0.8)) query.push('q=1');
  return {
    method: methodOf(random, match.method),
    path: query.length === 0 || path.includes('?') ? path : `${path}?${query.join('&')}`,
    headers: { ...headersOf(random, match.headers), ...(random.chance(0.05) ? headersOf(random, match.withoutHeaders) : {}) },
  };
}

function methodOf(random: Random, test: unknown): string {
  const { exact, prefix } = (test ?? {}) as { exact?: string; prefix?: string };
  if (exact !== undefined) return exact;
  if (prefix !== undefined) return random.pick(METHODS.filter((method) => method.startsWith(prefix)));
  return sample(random, test) ?? random.pick(METHODS);
}

function headersOf(random: Random, tests: unknown): Record<string, string> {
  const names = Object.entries((tests ?? {}) as Json).filter(([name]) => !/^[:@]/.test(name));
  return Object.fromEntries(names.map(([name, test]) => [name.toLowerCase(), sample(random, test) ?? 'any']));
}

const PATHS = ['/', '/api', '/api/items', '/login', '/items/7', '/v1/x', '/other', '/API/x', '/api/', '//api', '/a%2Fb', '/a/../login'];
const METHODS = ['GET', 'GET', 'GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'];
/** What the expressions of drawn meshes match. */
const SAMPLES: Readonly<Record<string, readonly string[]>> = {
  '/items/[0-9]+': ['/items/7', '/items/7x', '/items/'],
  '.*': ['/x', '/'],
  'GET|POST': ['GET', 'POST'],
  'j.*n': ['jason', 'jn', 'jasons'],
  '[0-9]+': ['12', 'x'],
  'c.*': ['c', 'cd', 'xc'],
};

/** A value that a StringMatch takes, most of the time. */
function sample(random: Random, test: unknown): string | undefined {
  if (typeof test !== 'object' || test === null) return undefined;
  const { exact, prefix, regex } = test as { exact?: string; prefix?: string; regex?: string };
  if (exact !== undefined) return random.chance(0.9) ? exact : `${exact}x`;
  if (prefix !== undefined) return `${prefix}${random.pick(['', 'x', '/x'])}`;
  return regex === undefined ? undefined : random.pick(SAMPLES[regex] ?? ['x']);
}

export function drawRest(random: Random): Pick<Request, 'answers' | 'body'> {
  return {
    answers: random.chance(0.88) ? [] : random.several(1, 2, () => drawAnswer(random)),
    ...random.maybe(0.15, () => ({ body: 'some text' })),
  };
}

function drawAnswer(random: Random): Answer {
  if (random.chance(0.05)) return { hangUp: true };
  const status = random.pick([200, 201, 204, 301, 404, 429, 500, 503]);
  return {
    status,
    headers: {
      ...random.maybe(0.5, () => ({ [random.pick(['x-a', 'x-c', 'x-e', 'x-out'])]: 'of the app' })),
      ...(status === 301 ? { location: '/there' } : {}),
    },
  };
}

/** Headers that other parts of the configuration look at: consistent hashes, CORS. */
export function drawCommonHeaders(random: Random): Record<string, string> {
  return {
    ...random.maybe(0.9, () => ({ 'x-user': random.pick(['ann', 'bob', 'cid']) })),
    ...random.maybe(0.9, () => ({ cookie: `session=${random.pick(['s1', 's2'])}` })),
    ...random.maybe(0.15, () => ({
      origin: random.pick(['https://shop.example.com', 'http://a', 'https://x']),
      ...random.maybe(0.5, () => ({ 'access-control-request-method': random.pick(['GET', 'POST']) })),
    })),
    ...random.maybe(0.2, () => ({ [random.pick(['x-a', 'x-c', 'x-e'])]: 'of the caller' })),
    ...random.maybe(0.1, () => ({ 'x-tenant': random.pick(['jason', 'a']) })),
  };
}
