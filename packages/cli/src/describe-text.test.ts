import type { DescribedWorkload, ServiceDescription } from '@ripstop/control-plane';
import { describe, expect, it } from 'vitest';
import { serviceText, workloadText } from './describe-text.ts';

const document = (kind: string, name: string, line: number) => ({ kind, name: `default/${name}`, at: `mesh.yaml:${line}` });
const workload: DescribedWorkload = {
  name: 'reviews-v1.default',
  address: '10.0.0.1',
  labels: { app: 'reviews', version: 'v1' },
  serviceAccount: '',
  health: 'HEALTHY',
  mtls: { mode: 'STRICT', ports: { 8080: 'DISABLE' }, from: [document('PeerAuthentication', 'strict', 40)] },
  policies: [{ ...document('AuthorizationPolicy', 'deny', 50), action: 'DENY', dryRun: true }],
  requestAuthentications: [document('RequestAuthentication', 'tokens', 60)],
  unenforced: [document('EnvoyFilter', 'authz', 70)],
};
const service: ServiceDescription = {
  ...document('Service', 'reviews', 1),
  host: 'reviews.default.svc.cluster.local',
  ports: [{ port: 9080, name: 'http', protocol: 'HTTP', targetPort: 9080, endpoints: 1 }],
  virtualServices: [
    {
      ...document('VirtualService', 'reviews', 20),
      gateways: ['mesh'],
      hosts: ['reviews'],
      used: false,
      routes: ['any request → reviews v1'],
    },
  ],
  destinationRule: {
    ...document('DestinationRule', 'reviews', 30),
    host: 'reviews',
    settings: ['loadBalancer'],
    tls: undefined,
    subsets: [{ name: 'v1', labels: { version: 'v1' }, endpoints: 1 }],
  },
  workloads: [workload],
  findings: [
    {
      code: 'IST0118',
      severity: 'info',
      object: 'Service default/reviews',
      position: { file: 'mesh.yaml', line: 5, column: 3 },
      path: 'spec',
      message: 'no protocol',
    },
  ],
};

describe('a description as text', () => {
  it('names every document with file and line', () => {
    expect(serviceText(service).split('\n')).toEqual([
      'Service: default/reviews (mesh.yaml:1)',
      '  Host: reviews.default.svc.cluster.local',
      '  Port: http 9080/HTTP targets pod port 9080, 1 endpoint',
      '  DestinationRule: default/reviews for "reviews" (mesh.yaml:30)',
      '    Settings: loadBalancer',
      '    TLS: mTLS where the endpoint speaks it (auto)',
      '    Subset: v1 (version=v1), 1 endpoint',
      '  VirtualService: default/reviews (mesh.yaml:20): NOT USED, an older one has the host',
      '    Gateways: mesh',
      '    any request → reviews v1',
      '  Workload: reviews-v1.default',
      '    Address: 10.0.0.1, HEALTHY, service account default, labels app=reviews,version=v1',
      '    mTLS: STRICT, port 8080: DISABLE (default/strict mesh.yaml:40)',
      '    AuthorizationPolicy: DENY default/deny (mesh.yaml:50), dry run',
      '    RequestAuthentication: default/tokens (mesh.yaml:60)',
      '    REFUSES EVERY REQUEST: EnvoyFilter default/authz (mesh.yaml:70) cannot be enforced',
      '  info: mesh.yaml:5 Service default/reviews spec: no protocol [IST0118]',
    ]);
  });

  it('says what is not there', () => {
    const text = serviceText({ ...service, destinationRule: undefined, virtualServices: [], workloads: [], findings: [] });
    for (const line of ['DestinationRule: none', 'VirtualService: none', 'Workloads: none']) expect(text).toContain(line);
    const open = { ...workload, policies: [], mtls: { mode: 'PERMISSIVE', ports: {}, from: [] } };
    const lines = workloadText({ ...open, services: [service] });
    for (const line of ['Workload: reviews-v1.default', 'everybody may call', 'mTLS: PERMISSIVE (by default)', 'Service: default/reviews'])
      expect(lines).toContain(line);
  });
});
