import { describe, expect, it } from 'vitest';
import { createVirtualMesh } from './virtual-mesh.ts';

const YAML = `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: default }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 9080, targetPort: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec:
  hosts: [reviews]
  http:
  - timeout: 3s
    retries: { attempts: 0 }
    route: [{ destination: { host: reviews } }]
`;

describe('a virtual mesh', () => {
  it('carries a call from one service to another, with mTLS, without a socket', async () => {
    await using mesh = await createVirtualMesh({
      yaml: YAML,
      services: {
        productpage: {},
        reviews: { port: 9080, app: (request, response) => response.end(`for ${request.headers['x-forwarded-client-cert']}`) },
      },
    });
    const answer = await mesh.until(mesh.member('productpage').fetch('http://reviews:9080/'));
    expect(answer.status).toBe(200);
    expect(await mesh.until(answer.text())).toContain('spiffe://cluster.local/ns/default/sa/productpage');
  });

  it('lets a timeout of seconds pass in no time', async () => {
    await using mesh = await createVirtualMesh({
      yaml: YAML,
      services: { productpage: {}, reviews: { port: 9080, app: () => {} } },
    });
    const realStart = performance.now();
    const start = mesh.clock.now();
    const answer = await mesh.until(mesh.member('productpage').fetch('http://reviews:9080/'));
    expect(answer.status).toBe(504);
    expect(mesh.clock.now() - start).toBe(3000);
    expect(performance.now() - realStart).toBeLessThan(2000);
  });
});
