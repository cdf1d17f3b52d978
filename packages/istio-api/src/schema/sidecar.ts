import { portNumber, texts, workloadSelector } from './common.ts';
import { inboundConnectionPool } from './destination-rule.ts';
import { serverTlsFields, serverTlsRules } from './gateway.ts';
import { type Kind, NETWORKING } from './kind.ts';
import { choice, count, ignored, ignoredFields, list, noted, object, refused, rule, ruled, text } from './schema.ts';

/** 0 is none, which a Unix socket has. */
const portOrNone = { ...count, rules: [rule('port must be at most 65535', (value: number) => value <= 65_535)] };
const sidecarPort = object({
  number: noted(portOrNone, 'a port that the process serves: mesh.listen(app, number)'),
  protocol: text,
  name: text,
  targetPort: ignored(count, 'Istio ignores it as well'),
});
const captureModes = choice('DEFAULT', 'IPTABLES', 'NONE');

export const sidecar: Kind = {
  ...NETWORKING,
  kind: 'Sidecar',
  status: 'used',
  note: 'what a workload is told about and what happens to hosts that nobody owns; with ingress it serves those ports, and not those of its Services',
  spec: object({
    workloadSelector,
    egress: list(
      object(
        {
          hosts: noted(texts, '`namespace/host`; what a VirtualService in scope leads to is in scope too'),
          port: object({
            number: portOrNone,
            ...ignoredFields({ protocol: text, name: text, targetPort: count }, 'the port is in the URL'),
          }),
          bind: noted(text, 'for Envoys; a process has no listener for its own calls. A Unix socket carries HTTP'),
          captureMode: noted(captureModes, 'for Envoys: with NONE they open the port'),
        },
        ['hosts'],
      ),
    ),
    ingress: list(
      object(
        {
          port: sidecarPort,
          bind: noted(text, 'for Envoys; mesh.listen binds to RIPSTOP_BIND'),
          captureMode: noted(captureModes, 'for Envoys: with NONE they open the port; a process opens its ports itself'),
          defaultEndpoint: noted(text, 'for Envoys; in the process the app that listens on the port is the endpoint'),
          tls: refused(ruled(object(ignoredFields(serverTlsFields)), ...serverTlsRules), 'the port would be served without that TLS'),
          connectionPool: inboundConnectionPool,
        },
        ['port'],
      ),
    ),
    inboundConnectionPool,
    outboundTrafficPolicy: object({
      mode: choice('REGISTRY_ONLY', 'ALLOW_ANY'),
      egressProxy: noted(
        object({ host: text, subset: text, port: portNumber }, ['host']),
        'with ALLOW_ANY; a full host name, of a service in scope',
      ),
    }),
  }),
};
