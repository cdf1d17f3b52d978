import { portNumber, texts, workloadSelector } from './common.ts';
import { inboundConnectionPool } from './destination-rule.ts';
import { serverTlsFields } from './gateway.ts';
import { type Kind, NETWORKING } from './kind.ts';
import { choice, ignored, ignoredFields, list, object, port, refused, text } from './schema.ts';

const sidecarPort = object(ignoredFields({ number: port, protocol: text, name: text, targetPort: port }));
const captureMode = ignored(choice('DEFAULT', 'IPTABLES', 'NONE'), 'nothing is captured: the mesh is in the process');

export const sidecar: Kind = {
  ...NETWORKING,
  kind: 'Sidecar',
  status: 'ignored',
  note: 'every workload sees what `exportTo` lets its namespace see, and serves the ports of the Services that select it',
  spec: object({
    workloadSelector: ignored(workloadSelector),
    egress: list(
      object({
        hosts: ignored(texts, 'they narrow what a workload is told about; leaving them out tells it more, and `exportTo` still holds'),
        port: ignored(sidecarPort, 'the port is in the URL'),
        bind: ignored(text, 'there is no listener'),
        captureMode,
      }),
    ),
    ingress: list(
      object({
        port: sidecarPort,
        bind: ignored(text, 'mesh.listen binds to RIPSTOP_BIND'),
        captureMode,
        defaultEndpoint: ignored(text, 'the app in the process is the endpoint'),
        tls: refused(object(ignoredFields(serverTlsFields)), 'the port would be served without that TLS'),
        connectionPool: inboundConnectionPool,
      }),
    ),
    inboundConnectionPool,
    outboundTrafficPolicy: object({
      mode: ignored(
        choice('REGISTRY_ONLY', 'ALLOW_ANY'),
        'the mode of the whole mesh holds: set outboundTrafficPolicy in mesh.yaml; REGISTRY_ONLY here is refused',
      ),
      egressProxy: refused(object({ host: text, subset: text, port: portNumber }), 'calls would not go through it'),
    }),
  }),
};
