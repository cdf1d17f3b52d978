import { parseDocuments } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { PushContext } from '../push/push-context.ts';
import { resourcesOfNode } from './node-resources.ts';
import { loadResourceWriter } from './resource-json.ts';

const YAML = `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: default }
spec:
  clusterIP: 10.1.0.1
  selector: { app: reviews }
  ports: [{ name: http, port: 9080 }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: example, namespace: default }
spec:
  hosts: [www.example.com]
  resolution: DNS
  ports: [{ name: http, number: 80, protocol: HTTP }]
`;

const push = new PushContext({ objects: parseDocuments(YAML, { file: 'mesh.yaml' }).objects, workloads: [] });
const node = proxyNodeOf({ id: 'sidecar~10.0.0.2~web-1.default~default.svc.cluster.local', metadata: {} });

describe('the resources of a node', () => {
  it('are all clusters and listeners, and the endpoints and routes that these name', () => {
    const { clusters, endpoints, listeners, routes } = resourcesOfNode(node, push);
    const names = (list: readonly { readonly name: string }[]): string[] => list.map(({ name }) => name);
    expect(names(clusters)).toEqual(
      expect.arrayContaining(['outbound|9080||reviews.default.svc.cluster.local', 'outbound|80||www.example.com']),
    );
    expect(names(endpoints)).toEqual(['outbound|9080||reviews.default.svc.cluster.local']);
    expect(names(listeners)).toEqual(expect.arrayContaining(['virtualOutbound', 'virtualInbound', '0.0.0.0_9080']));
    expect(names(routes).sort()).toEqual(['80', '9080']);
  });

  it('are written as protobuf JSON with proto field names', async () => {
    const write = await loadResourceWriter();
    const cluster = resourcesOfNode(node, push).clusters.find(({ name }) => name.includes('reviews'))!;
    expect(write(cluster)).toMatchObject({
      name: 'outbound|9080||reviews.default.svc.cluster.local',
      type: 'EDS',
      connect_timeout: '10s',
      eds_cluster_config: { service_name: 'outbound|9080||reviews.default.svc.cluster.local' },
    });
  });
});
