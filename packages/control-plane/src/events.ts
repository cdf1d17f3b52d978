import type { Finding } from '@ripstop/istio-api';
import type { Issuance } from './ca/ca-service.ts';

/** What a control plane has to say while it runs. The CLI prints it; tests collect it. */
export type ControlPlaneEvent =
  | { readonly type: 'configuration'; readonly objects: number; readonly files: number; readonly findings: readonly Finding[] }
  | { readonly type: 'connected' | 'disconnected'; readonly node: string; readonly reason: string }
  | { readonly type: 'registered'; readonly workload: string; readonly addresses: readonly string[] }
  | { readonly type: 'withdrawn'; readonly workload: string; readonly reason: string }
  | { readonly type: 'refused'; readonly node: string; readonly typeUrl: string; readonly reason: string }
  | ({ readonly type: 'issued' } & Issuance)
  /** The CA's roots changed; SHA-256 fingerprints, the signing one first. */
  | { readonly type: 'roots'; readonly fingerprints: readonly string[] }
  | { readonly type: 'problem'; readonly message: string };
