import { type Exchange, formatResponseFlags, type Outcome, type Peer } from '@ripstop/core';
import type { Labels } from './cell.ts';

/** Who this process is, for the side of the labels that is always the same. */
export interface TelemetryNode {
  readonly workload: string;
  readonly namespace: string;
  /** SPIFFE id, '' without identity. */
  readonly principal: string;
  readonly app: string;
  readonly version: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly cluster: string;
  readonly meshId: string;
}

const UNKNOWN = 'unknown';

/** A workload's side of the labels, under `source_` or `destination_`. */
interface Side {
  workload: string;
  namespace: string;
  principal: string;
  app: string;
  version: string;
  canonicalService: string;
  canonicalRevision: string;
  cluster: string;
}

const STRANGER: Side = {
  workload: UNKNOWN,
  namespace: UNKNOWN,
  principal: UNKNOWN,
  app: UNKNOWN,
  version: UNKNOWN,
  canonicalService: UNKNOWN,
  canonicalRevision: 'latest',
  cluster: UNKNOWN,
};

/** The labels of Istio's standard metrics (istio_stats), made once per cell. Missing is `unknown`, a missing revision `latest`. */
export class LabelMaker {
  private readonly self: Side;

  constructor(node: TelemetryNode) {
    this.self = {
      workload: node.workload || UNKNOWN,
      namespace: node.namespace || UNKNOWN,
      principal: node.principal || UNKNOWN,
      app: node.app || UNKNOWN,
      version: node.version || UNKNOWN,
      canonicalService: node.canonicalService || UNKNOWN,
      canonicalRevision: node.canonicalRevision || 'latest',
      cluster: node.cluster || UNKNOWN,
    };
  }

  outbound(x: Exchange, outcome: Outcome): Labels {
    const mtls = x.endpoint?.transport.kind === 'tls';
    const service = x.cluster?.services[0];
    const remote = this.destination(x, mtls);
    const host = hostOf(x.request.authority);
    // Istio's source reporter leaves the policy unknown; Ripstop knows it and says it (docs/reference/differences.md).
    return this.labels('source', this.self, remote, x, outcome, mtls ? 'mutual_tls' : 'none', {
      host: (service?.host ?? host) || UNKNOWN,
      name: service?.name ?? x.cluster?.name ?? UNKNOWN,
      namespace: service?.namespace ?? UNKNOWN,
    });
  }

  inbound(x: Exchange, outcome: Outcome): Labels {
    const { namespace } = this.self;
    const host = hostOf(x.request.authority);
    const name = this.self.canonicalService;
    return this.labels('destination', sourceOf(x.peer), this.self, x, outcome, x.peer.mtls ? 'mutual_tls' : 'none', {
      host: host.includes('.') || host === '' ? host || UNKNOWN : `${host}.${namespace}.svc.cluster.local`,
      name,
      namespace,
    });
  }

  private destination(x: Exchange, mtls: boolean): Side {
    const workload = x.endpoint?.workload;
    if (workload === undefined) return STRANGER;
    const transport = x.endpoint?.transport;
    return {
      workload: workload.workload || UNKNOWN,
      namespace: workload.namespace || UNKNOWN,
      principal: (mtls && transport?.kind === 'tls' && transport.expectedSans.length === 1 && transport.expectedSans[0]) || UNKNOWN,
      app: workload.canonicalService || UNKNOWN,
      version: workload.canonicalRevision || UNKNOWN,
      canonicalService: workload.canonicalService || UNKNOWN,
      canonicalRevision: workload.canonicalRevision || 'latest',
      cluster: workload.cluster || UNKNOWN,
    };
  }

  private labels(
    reporter: string,
    source: Side,
    destination: Side,
    x: Exchange,
    outcome: Outcome,
    policy: string,
    service: { host: string; name: string; namespace: string },
  ): Labels {
    const side: Labels = {
      reporter,
      source_workload: source.workload,
      source_workload_namespace: source.namespace,
      source_principal: source.principal,
      source_app: source.app,
      source_version: source.version,
      source_canonical_service: source.canonicalService,
      source_canonical_revision: source.canonicalRevision,
      source_cluster: source.cluster,
      destination_workload: destination.workload,
      destination_workload_namespace: destination.namespace,
      destination_principal: destination.principal,
      destination_app: destination.app,
      destination_version: destination.version,
      destination_service: service.host,
      destination_service_name: service.name,
      destination_service_namespace: service.namespace,
      destination_canonical_service: destination.canonicalService,
      destination_canonical_revision: destination.canonicalRevision,
      destination_cluster: destination.cluster,
    };
    const tail = { response_flags: formatResponseFlags(x.flags, x.protocol), connection_security_policy: policy };
    if (x.protocol === 'tcp') return { ...side, request_protocol: 'tcp', ...tail };
    return {
      ...side,
      request_protocol: x.protocol === 'grpc' ? 'grpc' : 'http',
      response_code: String(outcome.status),
      grpc_response_status: x.protocol === 'grpc' && outcome.grpcStatus !== undefined ? String(outcome.grpcStatus) : '',
      ...tail,
    };
  }
}

/** The caller by its certificate: `spiffe://td/ns/<namespace>/sa/<account>`; the workload itself is not in it. */
function sourceOf(peer: Peer): Side {
  const id = peer.uriSans[0];
  if (!peer.mtls || id === undefined) return STRANGER;
  const match = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(id);
  return { ...STRANGER, principal: id, namespace: match?.[1] ?? UNKNOWN };
}

function hostOf(authority: string): string {
  if (authority.startsWith('[')) return authority.slice(0, authority.indexOf(']') + 1);
  const colon = authority.indexOf(':');
  return colon === -1 ? authority : authority.slice(0, colon);
}
