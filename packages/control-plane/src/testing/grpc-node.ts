import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';

/** A proxyless gRPC node of app `web`; `library` is what the gRPC library calls itself. */
export function grpcNode(
  library = '',
  { labels = {}, version = '1.85.0' }: { readonly labels?: Readonly<Record<string, string>>; readonly version?: string } = {},
): ProxyNode {
  const node = proxyNodeOf({
    id: 'sidecar~10.0.0.1~web-1.default~default.svc.cluster.local',
    metadata: { GENERATOR: 'grpc', NAMESPACE: 'default', LABELS: { app: 'web', ...labels } },
  });
  return { ...node, userAgent: { name: library, version } };
}
