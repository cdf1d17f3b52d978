import { ObjectStore, PushContext, proxyNodeOf, wireResourcesOf } from '../../packages/control-plane/src/index.ts';
import { analyze, type MeshObject } from '../../packages/istio-api/src/index.ts';
import { BASE } from './corpus.ts';

/** A document may take this long, ms of the processor: a machine that does other work too is no reason to fail. */
export const LIMIT_MS = 1000;

export interface Outcome {
  readonly objects: number;
  readonly findings: number;
  readonly resources: number;
  readonly ms: number;
}

const NODES = [
  {
    id: 'sidecar~10.0.0.1~productpage-1.default~default.svc.cluster.local',
    metadata: { LABELS: { app: 'productpage', version: 'v1' }, NAMESPACE: 'default' },
  },
  {
    id: 'router~10.0.0.2~edge-1.istio-system~istio-system.svc.cluster.local',
    metadata: { LABELS: { istio: 'ingressgateway' }, NAMESPACE: 'istio-system' },
  },
  {
    id: 'sidecar~10.0.0.3~grpc-1.default~default.svc.cluster.local',
    metadata: { GENERATOR: 'grpc', LABELS: { app: 'productpage' }, NAMESPACE: 'default' },
  },
].map(proxyNodeOf);

const base: readonly MeshObject[] = new ObjectStore().update([{ name: 'base.yaml', text: BASE }])!.objects;

/** A text all the way: read, validated, analysed, and what is in force of it translated for three nodes, to the bytes. Throws for any mistake of ours. */
export function pushThrough(text: string): Outcome {
  const start = process.cpuUsage();
  const { objects, findings } = new ObjectStore().update([{ name: 'fuzz.yaml', text }])!;
  const all = [...objects, ...base];
  analyze(all);
  const push = new PushContext({ objects: all, workloads: [] });
  let resources = 0;
  for (const node of NODES) resources += wireResourcesOf(node, push).length;
  const { user, system } = process.cpuUsage(start);
  const ms = (user + system) / 1000;
  for (const { code, message, position } of findings)
    if (code === '' || message === '' || !(position.line >= 1) || !(position.column >= 1))
      throw new Error(`a finding without code, text or place: ${code} ${message}`);
  if (objects.length === 0 && findings.length === 0 && resources === 0) throw new Error('neither a finding nor a translation');
  if (ms > LIMIT_MS) throw new Error(`it took ${Math.round(ms)} ms`);
  return { objects: objects.length, findings: findings.length, resources, ms };
}
