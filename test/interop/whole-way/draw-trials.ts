import { Random } from '../istiod/mesh/random.ts';
import { drawGatewayRequest } from './draw-gateway-request.ts';
import { drawGrpcCall } from './draw-grpc-call.ts';
import { drawCommonHeaders, drawRequest } from './draw-request.ts';
import { drawServerRequest } from './draw-server-request.ts';
import { type Translated, tlsByPort } from './translated.ts';
import type { Place, Request, Trial } from './trial.ts';

/** Which of a drawn mesh's nodes stands where: the gateway comes first, then two sidecars. */
const NODES: Readonly<Record<Place, number>> = { gateway: 0, sidecar: 1, grpc: 1, server: 2 };
/** So that places on one node draw otherwise. */
const STREAMS: Readonly<Record<Place, number>> = { gateway: 0, sidecar: 1, server: 2, grpc: 1_000_003 };

/** The requests of a seed at one place of its mesh. */
export function drawTrial(seed: number, { mesh, answer }: Translated, place: Place, requests: number): Trial {
  const random = new Random(seed * 3 + STREAMS[place]);
  const node = mesh.nodes[NODES[place]]!;
  const { NAMESPACE, LABELS } = node.Metadata as { NAMESPACE: string; LABELS: Record<string, string> };
  const drawn = { random, mesh, namespace: NAMESPACE };
  const draw: Readonly<Record<Place, () => Request>> = {
    sidecar: () => drawRequest(drawn),
    grpc: () => drawGrpcCall(drawn),
    server: () => drawServerRequest(drawn, LABELS.app!),
    gateway: () => drawGatewayRequest(drawn, tlsByPort(answer.nodes[node.Name] ?? {})),
  };
  return {
    mesh,
    place,
    node: node.Name,
    requests: Array.from({ length: requests }, () => {
      const request = draw[place]();
      return { ...request, headers: { ...drawCommonHeaders(random), ...request.headers } };
    }),
  };
}
