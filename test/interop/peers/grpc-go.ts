import { goProgram } from './go-program.ts';
import type { PeerState } from './install-once.ts';

/** A client of ours on stock gRPC-Go: `grpc-go-<hash>/client`. */
export function grpcGoPeer(directory: string, progress: (line: string) => void): Promise<PeerState> {
  return goProgram({ name: 'grpc-go', binary: 'client', sources: 'grpc-go', timeoutMs: 600_000 }, directory, progress);
}
