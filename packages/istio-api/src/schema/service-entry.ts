import { texts, workloadSelector } from './common.ts';
import { type Kind, NETWORKING } from './kind.ts';
import { any, choice, type Fields, ignored, ignoredFields, list, map, noted, number, object, port, text } from './schema.ts';

const workloadEntryFields: Fields = {
  address: noted(text, 'an IP address, or a host name in entries of a ServiceEntry with resolution DNS; unix:// is refused'),
  ports: map(port),
  labels: map(text),
  network: ignored(text, 'every network is taken to be reachable'),
  locality: text,
  weight: number,
  serviceAccount: text,
};

export const serviceEntry: Kind = {
  ...NETWORKING,
  kind: 'ServiceEntry',
  status: 'used',
  spec: object(
    {
      hosts: texts,
      addresses: noted(texts, 'also names of the service for clients that dial the address; ranges (a.b.c.d/n) are not matched'),
      ports: list(
        object(
          {
            number: port,
            protocol: noted(text, 'HTTP, HTTP2, GRPC, GRPC-WEB; others are carried past the mesh'),
            name: text,
            targetPort: noted(port, 'not with resolution NONE or DYNAMIC_DNS: the port of the URL is dialled'),
          },
          ['number', 'name'],
        ),
      ),
      location: choice('MESH_EXTERNAL', 'MESH_INTERNAL'),
      resolution: noted(
        choice('NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'),
        'NONE and DYNAMIC_DNS dial the host of the URL; DNS asks the system resolver for IPv4 addresses every 60 s',
      ),
      endpoints: list(object(workloadEntryFields)),
      workloadSelector,
      exportTo: texts,
      subjectAltNames: texts,
    },
    ['hosts'],
    [['endpoints', 'workloadSelector']],
  ),
};

export const workloadEntry: Kind = { ...NETWORKING, kind: 'WorkloadEntry', status: 'used', spec: object(workloadEntryFields, ['address']) };

export const workloadGroup: Kind = {
  ...NETWORKING,
  kind: 'WorkloadGroup',
  status: 'ignored',
  note: 'workloads register themselves with their own labels; see docs/concepts/config-walk.md',
  spec: object({
    metadata: object(ignoredFields({ labels: map(text), annotations: map(text) })),
    template: object(ignoredFields(workloadEntryFields)),
    probe: ignored(
      object({
        initialDelaySeconds: number,
        timeoutSeconds: number,
        periodSeconds: number,
        successThreshold: number,
        failureThreshold: number,
        httpGet: any,
        tcpSocket: any,
        exec: any,
        grpc: any,
      }),
      'a workload says by itself that it serves: mesh.listen registers it, closing withdraws it',
    ),
  }),
};
