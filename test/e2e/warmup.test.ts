import { compileCluster } from '@ripstop/compile';
import { PushContext, proxyNodeOf, translate } from '@ripstop/control-plane';
import { parseDocuments, validateObject } from '@ripstop/istio-api';
import { CLUSTER_TYPE_URL, type Cluster } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';

const yaml = (loadBalancer: string): string => `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web }
spec: { host: web, trafficPolicy: { loadBalancer: ${loadBalancer} } }
`;
const node = proxyNodeOf({
  id: 'sidecar~127.0.0.1~a-1.default~default.svc.cluster.local',
  metadata: { NAMESPACE: 'default', LABELS: { app: 'a' } },
});

describe('warmup of a DestinationRule', () => {
  it.each([
    [
      '{ simple: ROUND_ROBIN, warmup: { duration: 30s, minimumPercent: 25, aggression: 2 } }',
      { windowMs: 30_000, aggression: 2, minimumShare: 0.25 },
    ],
    ['{ simple: LEAST_REQUEST, warmupDurationSecs: 10s }', { windowMs: 10_000, aggression: 1, minimumShare: 0.1 }],
    ['{ simple: ROUND_ROBIN }', undefined],
  ])('reaches the balancer: %s', (loadBalancer, slowStart) => {
    const { objects } = parseDocuments(yaml(loadBalancer), { file: 'a.yaml' });
    expect(objects.flatMap(validateObject)).toEqual([]);
    const clusters = translate(CLUSTER_TYPE_URL, node, new PushContext({ objects, workloads: [] }), []);
    const web = clusters.find(({ name }) => name === 'outbound|80||web.default.svc.cluster.local')!.message as Cluster;
    expect(compileCluster(web, undefined).balancer).toMatchObject({ slowStart });
  });
});
