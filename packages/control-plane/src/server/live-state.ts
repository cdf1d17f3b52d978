import { type Finding, formatFinding, type MeshObject } from '@ripstop/istio-api';
import type { TypeStatus } from '../ads/session-messages.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { WorkloadInstance } from '../model/workload.ts';
import type { PushContext } from '../push/push-context.ts';
import type { GrpcNote } from '../translate/grpc/notes.ts';

/** One connected client and what it has (`/debug/syncz`). */
export interface SyncRow {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  /** It has taken everything that is configured now. */
  readonly synced: boolean;
  /** Why it refuses a part; '' when it does not. */
  readonly nack: string;
  readonly types: readonly TypeStatus[];
  /** What a proxyless gRPC client does otherwise than configured, because its library cannot. */
  readonly notes: readonly GrpcNote[];
}

export interface LiveService {
  readonly host: string;
  readonly namespace: string;
  readonly ports: readonly { readonly port: number; readonly name: string; readonly protocol: string }[];
  /** Endpoints that may be called, and all of them, summed over the ports. */
  readonly healthy: number;
  readonly endpoints: number;
  /** Set when nobody can be called: why that may be. */
  readonly note: string;
}

export interface LiveInstance {
  readonly service: string;
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  /** `client` serves nothing; the others are endpoints. */
  readonly health: WorkloadInstance['health'] | 'client';
  readonly sync: 'synced' | 'waiting' | 'refused' | 'not connected';
  /** Reason of a refusal. */
  readonly nack: string;
}

/** What the page shows beside the graph (`/api/state`). */
export interface LiveState {
  readonly services: readonly LiveService[];
  readonly instances: readonly LiveInstance[];
  readonly findings: readonly { readonly severity: string; readonly text: string; readonly file: string; readonly line: number }[];
  readonly objects: readonly {
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly file: string;
    readonly line: number;
  }[];
}

export interface LiveStateInput {
  readonly push: PushContext;
  readonly sync: readonly SyncRow[];
  readonly nodes: readonly ProxyNode[];
  readonly objects: readonly MeshObject[];
  readonly findings: readonly Finding[];
}

export function liveState({ push, sync, nodes, objects, findings }: LiveStateInput): LiveState {
  return {
    services: services(push),
    instances: instances(push, sync, nodes),
    findings: findings.map((finding) => ({
      severity: finding.severity,
      text: formatFinding(finding),
      file: finding.position.file,
      line: finding.position.line,
    })),
    objects: objects.map(({ kind, metadata, source }) => ({
      kind,
      namespace: metadata.namespace,
      name: metadata.name,
      file: source.file,
      line: source.line,
    })),
  };
}

function services(push: PushContext): LiveService[] {
  const rows = push.services.map((service) => {
    const found = service.ports.flatMap((port) => push.endpoints(service, port)).filter(({ health }) => health !== 'TERMINATING');
    const healthy = found.filter(({ health }) => health === 'HEALTHY' || health === 'UNKNOWN').length;
    return {
      host: service.hostname,
      namespace: service.namespace,
      ports: service.ports.map(({ port, name, protocol }) => ({ port, name, protocol })),
      healthy,
      endpoints: found.length,
      note: healthy > 0 || service.resolution === 'NONE' || service.resolution === 'DYNAMIC_DNS' ? '' : emptiness(service.selector),
    };
  });
  return rows.sort((a, b) => compare(a.host, b.host));
}

function emptiness(selector: Readonly<Record<string, string>> | undefined): string {
  const labels = Object.entries(selector ?? {}).map(([name, value]) => `${name}=${value}`);
  return labels.length === 0 ? 'no endpoints are given' : `no healthy instance with ${labels.join(', ')} serves its target port`;
}

/** Pods and registered processes, then clients that only call. */
function instances(push: PushContext, sync: readonly SyncRow[], nodes: readonly ProxyNode[]): LiveInstance[] {
  const rows = new Map(sync.map((row) => [`${row.name}.${row.namespace}`, row]));
  const serving = push.instances.map((instance): LiveInstance => {
    const { key, name, namespace, labels, workloadName, ports, address, health } = instance;
    return {
      service: canonicalName(labels, workloadName),
      name,
      namespace,
      address: ports.map((port) => formatPort(port)).join(', ') || address,
      health,
      ...syncOf(rows.get(key)),
    };
  });
  const keys = new Set(push.instances.map(({ key }) => key));
  const clients = nodes
    .filter(({ name, namespace }) => !keys.has(`${name}.${namespace}`))
    .map(({ name, namespace, labels, workloadName }): LiveInstance => {
      const service = canonicalName(labels, workloadName);
      return { service, name, namespace, address: '', health: 'client', ...syncOf(rows.get(`${name}.${namespace}`)) };
    });
  return [...serving, ...clients].sort((a, b) => compare(a.service, b.service) || compare(a.name, b.name));
}

function syncOf(row: SyncRow | undefined): Pick<LiveInstance, 'sync' | 'nack'> {
  if (row === undefined) return { sync: 'not connected', nack: '' };
  return { sync: row.nack !== '' ? 'refused' : row.synced ? 'synced' : 'waiting', nack: row.nack };
}

function canonicalName(labels: Readonly<Record<string, string>>, workloadName: string): string {
  return labels['service.istio.io/canonical-name'] ?? labels.app ?? workloadName;
}

/** `9080`, or `9080 → 127.0.0.1:41234` for a process that is bound elsewhere. */
function formatPort({ workloadPort, address, port }: WorkloadInstance['ports'][number]): string {
  return `${workloadPort} → ${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
