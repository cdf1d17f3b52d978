import type { ServiceEntrySpec, WorkloadEntrySpec } from '../types/networking.ts';
import { labels, limited, onlyOne, shortTexts, text2048, texts, workloadSelector } from './common.ts';
import { type Kind, NETWORKING } from './kind.ts';
import {
  choice,
  count,
  type Fields,
  ignored,
  list,
  map,
  name,
  noted,
  object,
  port,
  type Rule,
  rule,
  ruled,
  smallCount,
  text,
} from './schema.ts';

const socket = (text: string): string | undefined => (text.startsWith('unix://') ? text.slice(7) : undefined);
const address = ruled(
  limited(256),
  rule('UDS must be an absolute path or abstract socket', (value: string) => /^[/@]/.test(socket(value) ?? '/')),
  rule('UDS may not be a dir', (value: string) => socket(value)?.endsWith('/') !== true),
);
const ports = ruled(
  { ...map(port), maxItems: 128 },
  rule('port name must be valid', (value: object) =>
    Object.keys(value).every((key) => key.length < 63 && /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/.test(key)),
  ),
);
const noPortsOfSocket: Rule = rule(
  'UDS may not include ports',
  ({ address = '', ports: given }: WorkloadEntrySpec) => socket(address) === undefined || given === undefined,
  'ports',
);
const ADDRESS_RULES: readonly Rule[] = [
  rule('Address is required', ({ address: given, network }: WorkloadEntrySpec) => (given ?? network) !== undefined),
  noPortsOfSocket,
];

const workloadEntryFields: Fields = {
  address: noted(address, 'an IP address, `unix://<path>`, or a host name in entries of a ServiceEntry with resolution DNS'),
  ports,
  labels,
  network: noted(text2048, 'of a gateway between networks; without one every network is taken to be reachable'),
  locality: text2048,
  weight: count,
  serviceAccount: limited(253),
};

const ENTRY_RULES: readonly Rule[] = [
  onlyOne('WorkloadSelector or Endpoints', 'workloadSelector', 'endpoints'),
  rule(
    'CIDR addresses are allowed only for NONE/STATIC resolution types',
    ({ addresses = [], resolution = 'NONE' }: ServiceEntrySpec) =>
      resolution === 'NONE' || resolution === 'STATIC' || !addresses.some((text) => text.includes('/')),
    'addresses',
  ),
  rule(
    'NONE mode cannot set endpoints',
    ({ endpoints, resolution = 'NONE' }: ServiceEntrySpec) => resolution !== 'NONE' || endpoints === undefined,
    'endpoints',
  ),
  rule(
    'DNS_ROUND_ROBIN mode cannot have multiple endpoints',
    ({ endpoints = [], resolution }: ServiceEntrySpec) => resolution !== 'DNS_ROUND_ROBIN' || endpoints.length <= 1,
    'endpoints',
  ),
];

export const serviceEntry: Kind = {
  ...NETWORKING,
  kind: 'ServiceEntry',
  status: 'used',
  requiresSpec: true,
  spec: ruled(
    object(
      {
        hosts: {
          ...list(
            ruled(
              text,
              rule('hostname cannot be wildcard', (value: string) => value !== '*'),
            ),
          ),
          minItems: 1,
          maxItems: 256,
        },
        addresses: noted(
          shortTexts(256, 64),
          'also names of the service for clients that dial the address; ranges (a.b.c.d/n) are not matched',
        ),
        ports: ruled(
          {
            ...list(
              object(
                {
                  number: port,
                  protocol: noted(limited(256), 'HTTP, HTTP2, GRPC, GRPC-WEB; others are carried past the mesh'),
                  name: limited(256),
                  targetPort: noted(port, 'not with resolution NONE or DYNAMIC_DNS: the port of the URL is dialled'),
                },
                ['number', 'name'],
              ),
            ),
            maxItems: 256,
            key: 'name',
          },
          rule(
            'port number cannot be duplicated',
            (value: readonly { readonly number: number }[]) => new Set(value.map(({ number }) => number)).size === value.length,
          ),
        ),
        location: choice('MESH_EXTERNAL', 'MESH_INTERNAL'),
        resolution: noted(
          choice('NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'),
          'NONE and DYNAMIC_DNS dial the host of the request; DNS asks the system resolver for IPv4 addresses every 60 s',
        ),
        endpoints: { ...list(ruled(object(workloadEntryFields), ...ADDRESS_RULES)), maxItems: 4096 },
        workloadSelector,
        exportTo: texts,
        subjectAltNames: texts,
      },
      ['hosts'],
    ),
    ...ENTRY_RULES,
  ),
};

export const workloadEntry: Kind = {
  ...NETWORKING,
  kind: 'WorkloadEntry',
  status: 'used',
  requiresSpec: true,
  spec: ruled(object(workloadEntryFields), ...ADDRESS_RULES),
};

const seconds = smallCount;
const PROBE_TIMES: Fields = {
  initialDelaySeconds: seconds,
  timeoutSeconds: seconds,
  periodSeconds: seconds,
  successThreshold: seconds,
  failureThreshold: seconds,
};

export const workloadGroup: Kind = {
  ...NETWORKING,
  kind: 'WorkloadGroup',
  status: 'used',
  requiresSpec: true,
  note: 'a client that connects with ISTIO_META_AUTO_REGISTER_GROUP joins it, and is withdrawn 10 s after it is gone',
  spec: object(
    {
      metadata: object({ labels: noted(labels, 'before those of the template, behind those of the client'), annotations: ignored(labels) }),
      template: noted(
        ruled(object(workloadEntryFields), noPortsOfSocket),
        'our SDK says its own ports; of the template it takes the labels',
      ),
      probe: noted(
        object(
          {
            ...PROBE_TIMES,
            httpGet: object(
              {
                path: text,
                port,
                host: text,
                scheme: ruled(
                  text,
                  rule('scheme must be one of [HTTP, HTTPS]', (value: string) => ['', 'HTTP', 'HTTPS'].includes(value)),
                ),
                httpHeaders: list(object({ name: { ...text, pattern: /^[-_A-Za-z0-9]+$/ }, value: text })),
              },
              ['port'],
            ),
            tcpSocket: object({ host: text, port }, ['port']),
            exec: object({ command: list(name) }, ['command']),
            grpc: object({ port, service: text }),
          },
          [],
          [['httpGet', 'tcpSocket', 'exec', 'grpc']],
        ),
        "Istio's agent probes and reports; a member serves when it has said that it is healthy. Our SDK says by itself that it serves",
      ),
    },
    ['template'],
  ),
};
