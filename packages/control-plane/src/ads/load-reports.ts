import grpc from '@grpc/grpc-js';
import { LoadStatsRequest, LoadStatsResponse } from '@ripstop/xds-api';
import type { Attestation } from '../ca/attest/attestation.ts';

/** How often clients report, s. */
const INTERVAL_SECONDS = 10;
/** A client may name any number of clusters. */
const MAX_CLUSTERS = 2000;

/** What a client reported about the calls to one cluster, since it connected. */
export interface ClusterLoad {
  readonly cluster: string;
  readonly issued: number;
  readonly success: number;
  readonly error: number;
  /** At the time of the last report. */
  readonly inProgress: number;
  readonly dropped: number;
}

export interface ClientLoad {
  /** Node id. */
  readonly id: string;
  readonly clusters: readonly ClusterLoad[];
}

const METHODS = {
  StreamLoadStats: {
    path: '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats',
    requestStream: true,
    responseStream: true,
    requestSerialize: (message: LoadStatsRequest) => Buffer.from(LoadStatsRequest.encode(message).finish()),
    requestDeserialize: (bytes: Buffer) => LoadStatsRequest.decode(bytes),
    responseSerialize: (message: LoadStatsResponse) => Buffer.from(LoadStatsResponse.encode(message).finish()),
    responseDeserialize: (bytes: Buffer) => LoadStatsResponse.decode(bytes),
  },
} as const;

type Call = grpc.ServerDuplexStream<LoadStatsRequest, LoadStatsResponse>;

/** Load reports of clients (LRS): taken, summed up while a client is connected, and shown; nothing is decided by them. */
export class LoadReports {
  private readonly clients = new Map<Call, { id: string; readonly clusters: Map<string, ClusterLoad> }>();

  /** With `attestation` only callers that prove who they are may report. */
  addTo(server: grpc.Server, attestation: Attestation | undefined): void {
    server.addService(METHODS, { StreamLoadStats: (call: Call) => void this.open(call, attestation) });
  }

  get all(): ClientLoad[] {
    return [...this.clients.values()].map(({ id, clusters }) => ({ id, clusters: [...clusters.values()] }));
  }

  private async open(call: Call, attestation: Attestation | undefined): Promise<void> {
    try {
      await attestation?.account(call);
    } catch (error) {
      const details = error instanceof Error ? error.message : String(error);
      call.emit('error', { code: grpc.status.UNAUTHENTICATED, details, message: details });
      return;
    }
    if (call.cancelled) return;
    const client = { id: '', clusters: new Map<string, ClusterLoad>() };
    this.clients.set(call, client);
    const end = (): void => void this.clients.delete(call);
    call.on('data', (request: LoadStatsRequest) => {
      if (client.id === '') {
        client.id = request.node?.id ?? 'unknown';
        const interval = { seconds: INTERVAL_SECONDS, nanos: 0 };
        call.write(LoadStatsResponse.fromPartial({ sendAllClusters: true, loadReportingInterval: interval }));
      }
      for (const stats of request.clusterStats) add(client.clusters, stats);
    });
    call.on('end', () => {
      end();
      call.end();
    });
    call.on('cancelled', end);
    call.on('error', end);
  }
}

/** Counters of a report are of the time since the last one. */
function add(
  clusters: Map<string, ClusterLoad>,
  { clusterName, upstreamLocalityStats, totalDroppedRequests }: LoadStatsRequest['clusterStats'][number],
): void {
  const before = clusters.get(clusterName);
  if (before === undefined && clusters.size >= MAX_CLUSTERS) return;
  const sum = (of: (locality: (typeof upstreamLocalityStats)[number]) => number | bigint | string): number =>
    upstreamLocalityStats.reduce((total, locality) => total + Number(of(locality)), 0);
  clusters.set(clusterName, {
    cluster: clusterName,
    issued: (before?.issued ?? 0) + sum(({ totalIssuedRequests }) => totalIssuedRequests),
    success: (before?.success ?? 0) + sum(({ totalSuccessfulRequests }) => totalSuccessfulRequests),
    error: (before?.error ?? 0) + sum(({ totalErrorRequests }) => totalErrorRequests),
    inProgress: sum(({ totalRequestsInProgress }) => totalRequestsInProgress),
    dropped: (before?.dropped ?? 0) + Number(totalDroppedRequests),
  });
}
