import type { Cluster, Endpoint } from '../cluster/cluster.ts';
import type { LoadReport } from './load-report.ts';

/** Reports that hosts send by themselves (OpenRcaService), in the place of those in responses. */
export interface OutOfBandSpec {
  readonly periodMs: number;
  /** Where hosts are asked; 0 = their own port. */
  readonly port: number;
  /** Default: the host's name, else its address. */
  readonly authority: string;
}

export interface LoadStreamListener {
  onReport(report: LoadReport): void;
  /** Nothing comes any more. `unsupported`: the host does not have the service, nor will it. Called at most once, and not after `close`. */
  onEnd(unsupported: boolean): void;
}

export interface LoadStream {
  close(): void;
}

/** Asks one host for its load, over a connection of its own. Drivers implement it. */
export type OpenLoadStream = (spec: OutOfBandSpec, endpoint: Endpoint, cluster: Cluster, listener: LoadStreamListener) => LoadStream;
