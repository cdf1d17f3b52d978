import { readFileSync } from 'node:fs';
import type { Document } from '../istiod/mesh/document.ts';
import type { Mesh } from '../istiod/mesh/random-mesh.ts';

type Json = Record<string, unknown>;

/** Of 127.x.0.0/16. By process, so that two runs do not meet. */
const BLOCK = 64 + (process.pid % 60);

/** Networks of drawn meshes, and where they are on the loopback. */
const NETWORKS: readonly (readonly [RegExp, string])[] = [
  [/\b10\.0\.0\.0\/8\b/g, `127.${BLOCK}.0.0/16`],
  [/\b10\.([012])\.0\.(\d+)\b/g, `127.${BLOCK}.$1.$2`],
  [/\b10\.96\.(\d)\.(\d+)\b/g, `127.${BLOCK}.1$1.$2`],
  [/\b240\.1\.0\.(\d+)\b/g, `127.${BLOCK}.20.$1`],
];

/** Where a name leads that no Service and no address of a ServiceEntry stands behind. */
export function addressOfName(name: string): string {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.charCodeAt(0)) % 251;
  return `127.${BLOCK}.30.${sum + 2}`;
}

/** An address of nobody, one for each `index`. */
export function freshAddress(index: number): string {
  return `127.${BLOCK}.${100 + Math.floor(index / 250)}.${1 + (index % 250)}`;
}

/**
 * A drawn mesh as it can run on one machine in a moment: machines are addresses of the loopback, files of certificates lie in
 * `certificates`, faults and mirrors happen always or never, delays are short, deadlines are none that a busy machine misses, and no
 * host is thrown out for answers that a test drew. What is routed where stays as it was drawn.
 */
export function ontoLoopback(mesh: Mesh, certificates: string): Mesh {
  const runnables = mesh.documents.map((document) => runnable(document, certificates));
  const { documents, config, nodes } = onLoopback({ ...mesh, documents: runnables }, certificates);
  return { documents, config, nodes: nodes.filter(({ Metadata }) => Metadata.GENERATOR === undefined) };
}

function onLoopback<T>(value: T, certificates: string): T {
  let text = JSON.stringify(value).replaceAll('/etc/certs/', `${certificates}/`).replaceAll('/dev/stdout', '/dev/null');
  for (const [network, place] of NETWORKS) text = text.replaceAll(network, place);
  return JSON.parse(text) as T;
}

function runnable(document: Document, certificates: string): Document {
  switch (document.kind) {
    case 'VirtualService':
      return changed(document, (key, value) => {
        if (key === 'fixedDelay') return '20ms';
        if (key === 'percentage' || key === 'mirrorPercentage') return { value: ((value as Json).value as number) >= 50 ? 100 : 0 };
        if (key === 'mirrorPercent') return 100;
        if (key === 'timeout' || key === 'perTryTimeout') return LONGER[value as string] ?? value;
        if (key === 'backoff') return '10ms';
        // What istiod makes of a claim that only has to be there Envoy does not take, and with it the whole port.
        if (key.startsWith('@request.auth.claims') && Object.keys(value as Json).length === 0) return { regex: '.*' };
        return value;
      });
    case 'DestinationRule':
      return changed(document, (key, value) => {
        if (key === 'connectTimeout') return LONGER[value as string] ?? value;
        if (key === 'outlierDetection') return { ...NEVER_EJECTED, ...(value as Json) };
        // 0 of the last one is istiod's default, 5; of the others it is never.
        if (key === 'consecutiveLocalOriginFailures') return 1000;
        return EJECTIONS.has(key) && value !== 0 ? 1000 : value;
      });
    case 'ServiceEntry':
      return { ...document, spec: entryOf(document.spec as Json) };
    case 'WorkloadEntry':
      return { ...document, spec: { ...(document.spec as Json), ports: { ...ENTRY_PORTS, ...((document.spec as Json).ports as Json) } } };
    case 'HTTPRoute':
      return changed(document, (key, value) => (key === 'backendRequest' ? '2500ms' : value));
    case 'ConfigMap':
      return { ...document, data: { 'ca.crt': readFileSync(`${certificates}/ca.crt`, 'utf8') } };
    default:
      return document;
  }
}

const LONGER: Readonly<Record<string, string>> = { '250ms': '5.25s', '0.5s': '5.5s', '1s': '6s', '2s': '7s' };
const NEVER_EJECTED: Json = { consecutive5xxErrors: 1000, consecutiveLocalOriginFailures: 1000 };
const EJECTIONS: ReadonlySet<string> = new Set(['consecutive5xxErrors', 'consecutiveGatewayErrors']);
/** Ports of endpoints outside of Kubernetes, by the names that ServiceEntries give: those that any user may open. */
const ENTRY_PORTS: Json = { http: 20_080, 'http-8080': 20_081, https: 20_443, tls: 20_444, 'http-tls': 20_445 };

interface Port {
  readonly name: string;
  readonly protocol?: string;
}

/** Of hosts that are looked up when they are asked for: what istiod makes of these Envoy does not take. */
const REFUSED_BY_ENVOY: ReadonlySet<string> = new Set(['HTTP2', 'GRPC']);

function entryOf(spec: Json): Json {
  const ports = Object.fromEntries((spec.ports as Port[]).flatMap(({ name }) => (name in ENTRY_PORTS ? [[name, ENTRY_PORTS[name]]] : [])));
  if (spec.resolution === 'DYNAMIC_DNS')
    return { ...spec, ports: (spec.ports as Port[]).filter(({ protocol = '' }) => !REFUSED_BY_ENVOY.has(protocol)) };
  const endpoints = spec.endpoints as Json[] | undefined;
  if (endpoints === undefined) return spec;
  return { ...spec, endpoints: endpoints.map((endpoint) => ({ ...endpoint, ports: { ...ports, ...(endpoint.ports as Json) } })) };
}

/** The document with each field as `change` has it, inner ones first. */
function changed<T>(value: T, change: (key: string, value: unknown) => unknown): T {
  if (Array.isArray(value)) return value.map((item) => changed(item as unknown, change)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, change(key, changed(field, change))])) as T;
}
