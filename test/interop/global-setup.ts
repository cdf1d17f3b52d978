import type { TestProject } from 'vitest/node';
import { envoyPeer } from './peers/envoy.ts';
import { grpcGoPeer } from './peers/grpc-go.ts';
import type { PeerState } from './peers/install-once.ts';
import { istiodPeer } from './peers/istiod.ts';
import { etcdPeer, kubeApiserverPeer, pilotDiscoveryPeer } from './peers/kubernetes.ts';
import { peersDirectory } from './peers/peers-directory.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    peers: Readonly<Record<'envoy' | 'etcd' | 'grpcGo' | 'istiod' | 'kubeApiserver' | 'pilotDiscovery', PeerState>>;
  }
}

/** Runs once before the interop tests: finds or installs the peers and tells the tests where they are, or why they are not. */
export default async function setup(project: TestProject): Promise<void> {
  const progress = (line: string): void => void process.stderr.write(`interop: ${line}\n`);
  const directory = peersDirectory();
  const peers = {
    envoy: await envoyPeer(directory, progress),
    grpcGo: await grpcGoPeer(directory, progress),
    istiod: await istiodPeer(directory, progress),
    pilotDiscovery: await pilotDiscoveryPeer(directory, progress),
    etcd: await etcdPeer(directory, progress),
    kubeApiserver: await kubeApiserverPeer(directory, progress),
  };
  for (const [name, state] of Object.entries(peers)) {
    progress('path' in state ? `${name}: ${state.path}` : `skipped: every test against ${name}: ${state.missing}`);
  }
  project.provide('peers', peers);
}
