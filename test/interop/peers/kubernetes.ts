import { goProgram } from './go-program.ts';
import type { PeerState } from './install-once.ts';

type Build = (directory: string, progress: (line: string) => void) => Promise<PeerState>;

/** The API server of Kubernetes (about five minutes the first time on two cores). */
export const kubeApiserverPeer: Build = (directory, progress) =>
  goProgram({ name: 'kube-apiserver', sources: 'kubernetes/apiserver', timeoutMs: 1_800_000 }, directory, progress);

/** What the API server keeps its objects in. */
export const etcdPeer: Build = (directory, progress) =>
  goProgram({ name: 'etcd', sources: 'kubernetes/etcd', timeoutMs: 600_000 }, directory, progress);

/** istiod whole, with its certificate authority; it shares nearly all that it is built of with the program in `istiod/peer`. */
export const pilotDiscoveryPeer: Build = (directory, progress) =>
  goProgram({ name: 'pilot-discovery', sources: 'istiod/discovery', timeoutMs: 1_800_000 }, directory, progress);
