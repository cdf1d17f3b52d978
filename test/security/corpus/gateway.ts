import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGateway } from '@ripstop/gateway';
import { TestMesh } from '../../interop/mesh/test-mesh.ts';
import { documents, service, workloadEntry } from '../../interop/mesh/yaml.ts';
import { sdkMember } from '../../interop/runners/context.ts';
import { createApp, type Seen } from './apps.ts';
import {
  expectedAt,
  FORWARDED_ROWS,
  type ForwardedRow,
  GATEWAY_PATHS,
  GATEWAY_POLICIES,
  HOPS,
  type Hops,
  PROXIED,
  type Proxied,
} from './gateway-rows.ts';
import { sendStream } from './h2-client.ts';
import { fieldsOf, get } from './row.ts';
import { type Cell, sendBytes } from './run.ts';
import { judge } from './verdict.ts';

const HOST = 'shop.example.com';
const EDGE = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 8080, name: http, protocol: HTTP }, hosts: ["${HOST}"] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge, namespace: default }
spec: { hosts: ["${HOST}"], gateways: [edge], http: [{ route: [{ destination: { host: echo.default.svc.cluster.local, port: { number: 80 } } }] }] }
---
`;

/** Who runs a gateway in this mesh. */
export const GATEWAY_MEMBER = { serviceAccount: 'ingress', labels: { istio: 'ingressgateway' } } as const;

/** A mesh with one gateway's configuration and an app behind it. */
export class GatewayWorld implements AsyncDisposable {
  readonly mesh: TestMesh;
  readonly seen: Seen[];
  private readonly parts: AsyncDisposableStack;

  static async start(hops: Hops, proxied: boolean): Promise<GatewayWorld> {
    await using parts = new AsyncDisposableStack();
    const seen: Seen[] = [];
    const app = (await createApp('node:http', (request) => seen.push(request))) as Server;
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    parts.defer(() => {
      app.closeAllConnections();
      app.close();
    });
    const gatewayTopology = { numTrustedProxies: hops, ...(proxied ? { proxyProtocol: {} } : {}) };
    const config = JSON.stringify({ defaultConfig: { gatewayTopology } });
    const configMap = `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: '${config}' }\n`;
    const { port } = app.address() as AddressInfo;
    const echo = workloadEntry({ name: 'echo-1', app: 'echo', version: 'v1', port });
    const mesh = parts.use(await TestMesh.start(documents(configMap, EDGE + GATEWAY_POLICIES, service('echo'), echo)));
    return new GatewayWorld(mesh, seen, parts.move());
  }

  private constructor(mesh: TestMesh, seen: Seen[], parts: AsyncDisposableStack) {
    this.mesh = mesh;
    this.seen = seen;
    this.parts = parts;
  }

  /** Runs our gateway; its port. */
  async serve(): Promise<number> {
    const mesh = await sdkMember({ mesh: this.mesh, parts: this.parts }, { ...GATEWAY_MEMBER, service: 'ingress', role: 'router' });
    const gateway = this.parts.use(createGateway({ mesh, ports: { 8080: 0 } }));
    await gateway.start();
    return gateway.addresses()[0]!.port;
  }

  /** Every row, at every path, on one gateway. `strict`: see {@link expectedAt}. */
  async *run(port: number, hops: Hops, proxied: Proxied, strict = true): AsyncGenerator<Cell> {
    const where = `gateway, ${hops} trusted proxies${proxied === '' ? '' : `, behind the PROXY protocol of ${proxied}`}`;
    for (const row of FORWARDED_ROWS) {
      for (const path of GATEWAY_PATHS) {
        const expected = expectedAt(path, row, hops, proxied, strict);
        this.seen.splice(0);
        const answer = await sendBytes(port, prefix(proxied) + get(path, ...row.lines).replace('Host: a', `Host: ${HOST}`), undefined);
        yield { id: 'S38', name: `${row.name} ${path}`, where: `${where} HTTP/1.1`, finding: judge(expected, answer, this.seen) };
        if (proxied !== '' || !hasHttp2Form(row)) continue;
        this.seen.splice(0);
        const fields = fieldsOf(path, row.lines).map(([name, value]) => [name, name === ':authority' ? HOST : value] as const);
        const finding = judge(expected, await sendStream(port, fields, undefined, undefined), this.seen);
        yield { id: 'S38', name: `${row.name} ${path}`, where: `${where} HTTP/2`, finding };
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.parts.disposeAsync();
  }
}

function prefix(proxied: Proxied): string {
  return proxied === '' ? '' : `PROXY TCP4 ${proxied} 10.0.0.9 4660 8080\r\n`;
}

/** What is no header of HTTP/2, is one frame too long for this client, or has spaces that it takes off. */
function hasHttp2Form({ lines }: ForwardedRow): boolean {
  return lines.every((line) => line.length < 8_000 && !/^connection|\xa0/.test(line));
}

/** The rows about addresses at our gateways. */
export async function* runGateway(): AsyncGenerator<Cell> {
  for (const hops of HOPS) {
    for (const behindProxy of [false, true]) {
      await using world = await GatewayWorld.start(hops, behindProxy);
      const port = await world.serve();
      for (const proxied of PROXIED) if ((proxied !== '') === behindProxy) yield* world.run(port, hops, proxied);
    }
  }
}
