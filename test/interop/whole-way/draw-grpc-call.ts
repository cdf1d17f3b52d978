import type { Answer } from '../../simulation/row.ts';
import type { Document } from '../istiod/mesh/document.ts';
import type { Random } from '../istiod/mesh/random.ts';
import { concrete, type Drawn, drawHead } from './draw-request.ts';
import { meshRoutes } from './routes.ts';
import type { Request } from './trial.ts';

type Json = Record<string, unknown>;

interface Target {
  readonly host: string;
  readonly port: number;
}

/** A unary call to a name and port that the mesh takes for HTTP/2, or looks at, often by a path and metadata that a route wants. */
export function drawGrpcCall({ random, mesh, namespace }: Drawn): Request {
  const targets = mesh.documents.flatMap((document) => targetsOf(document, random, namespace));
  const { host, port } = targets.length === 0 || random.chance(0.04) ? NOBODY : random.pick(targets);
  const whole = host.split('.').length === 1 ? `${host}.${namespace}.svc.cluster.local` : host;
  const routes = meshRoutes(mesh.documents).filter(({ hosts }) => hosts.some((each) => each === whole || each === host));
  const { path, headers } = drawHead(random, routes.length > 0 && random.chance(0.7) ? random.pick(routes) : undefined);
  const called = path.split('?', 1)[0]!;
  return {
    host,
    port,
    method: 'POST',
    path: random.chance(0.4) || called.includes('%') || !called.startsWith('/') ? '/shop.Cart/Get' : called,
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !RESERVED.has(name))),
    body: random.pick(['', 'some text']),
    ...random.maybe(0.3, () => ({ deadlineMs: DEADLINE_MS })),
    answers: random.chance(0.75) ? [] : random.several(1, 2, () => drawAnswer(random)),
  };
}

/** Long beside every timeout of a drawn route: what ends a call is never a matter of the moment. */
export const DEADLINE_MS = 30_000;

const NOBODY: Target = { host: 'nobody.example.org', port: 9000 };
/** Not the app's to write. */
const RESERVED: ReadonlySet<string> = new Set(['host', 'te', 'content-type', 'user-agent']);

function drawAnswer(random: Random): Answer {
  if (random.chance(0.1)) return { hangUp: true };
  if (random.chance(0.15)) return { status: random.pick([404, 429, 500, 503]) };
  const code = random.pick([1, 4, 5, 8, 13, 14]);
  const headers = { 'grpc-status': String(code), 'grpc-message': 'of the app', ...random.maybe(0.3, () => ({ 'x-out': 'of the app' })) };
  return { status: 200, headers, ...random.maybe(0.5, () => ({ body: '' })) };
}

interface Port {
  readonly name: string;
  readonly port: number;
  readonly protocol?: string;
  readonly appProtocol?: string;
}

function targetsOf({ kind, metadata, spec }: Document, random: Random, namespace: string): Target[] {
  if (kind === 'Service') {
    const { ports = [] } = spec as { ports?: Port[] };
    const whole = `${metadata.name}.${metadata.namespace}.svc.cluster.local`;
    const short = metadata.namespace === namespace ? metadata.name : `${metadata.name}.${metadata.namespace}`;
    return ports.filter(takesHttp2).map(({ port }) => ({ host: random.pick([whole, whole, short]), port }));
  }
  if (kind !== 'ServiceEntry') return [];
  const { hosts, ports } = spec as { hosts: string[]; ports: { number: number; protocol?: string }[] } & Json;
  const http2 = ports.filter(({ protocol = '' }) => ['HTTP2', 'GRPC'].includes(protocol));
  return hosts.flatMap((host) => http2.map(({ number }) => ({ host: concrete(random, host, []), port: number })));
}

/** Whether istiod takes the port for HTTP/2, or looks at what comes. */
function takesHttp2({ name, protocol = 'TCP', appProtocol }: Port): boolean {
  if (protocol !== 'TCP') return false;
  if (appProtocol !== undefined) return appProtocol === 'kubernetes.io/h2c';
  return /^(http2|grpc)/.test(name) || !/^(http|tcp|https|tls|mysql)/.test(name);
}
