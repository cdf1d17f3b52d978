import { type Cluster, Cluster_DnsLookupFamily as DnsFamily, type Listener, type RouteConfiguration } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { pushOf } from '../testing/mesh.ts';
import { resourcesOfNode } from './node-resources.ts';

/* As istiod without ISTIO_DUAL_STACK, which is its default: what random meshes of two families showed (test/interop/istiod-meshes.test.ts). */

const SERVICES = `
apiVersion: v1
kind: Service
metadata: { name: db, namespace: default }
spec: { clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, '2001:db8::1'], ports: [{ name: tcp, port: 6000 }, { name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: default }
spec: { hosts: [api.example], ports: [{ number: 81, name: http, protocol: HTTP }], resolution: DNS }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec:
  workloadSelector: { labels: { app: web } }
  egress: [{ hosts: ['*/*'] }]
  ingress: [{ port: { number: 8080, name: http, protocol: HTTP }, defaultEndpoint: '127.0.0.1:8080' }]
`;

function node(ips: string, metadata: object = {}): ProxyNode {
  return proxyNodeOf({
    id: `sidecar~${ips.split(',')[0]}~web-1.default~default.svc.cluster.local`,
    metadata: { NAMESPACE: 'default', LABELS: { app: 'web' }, INSTANCE_IPS: ips, ...metadata },
  });
}

function seenBy(client: ProxyNode) {
  const { clusters, listeners, routes } = resourcesOfNode(client, pushOf(SERVICES));
  const names = listeners.map(({ name }) => name);
  const cluster = (name: string): Cluster => clusters.find((each) => each.name === name)!.message as Cluster;
  const listener = (name: string): Listener => listeners.find((each) => each.name === name)!.message as Listener;
  const hosts = (routes.find(({ name }) => name === '80')!.message as RouteConfiguration).virtualHosts;
  return {
    names,
    others: (name: string) => listener(name).additionalAddresses.map(({ address }) => addressIn(address?.address)),
    inbound: addressIn(listener('virtualInbound').address?.address),
    domains: hosts.find(({ name }) => name.startsWith('db.'))!.domains,
    family: cluster('outbound|81||api.example').dnsLookupFamily,
    app: JSON.stringify(cluster('inbound|8080||').loadAssignment),
  };
}

function addressIn(address: { readonly $case: string; readonly value: object } | undefined): unknown {
  return (address?.value as { readonly address?: string } | undefined)?.address;
}

describe('the address families of a client', () => {
  it('of IPv4 alone have the addresses of that family', () => {
    const { names, inbound, domains, family } = seenBy(node('10.0.0.1'));
    expect(names).toEqual(expect.arrayContaining(['0.0.0.0_80', '10.96.0.1_6000', 'virtualInbound', 'virtualOutbound']));
    expect(inbound).toBe('0.0.0.0');
    expect(domains).toContain('10.96.0.1');
    expect(domains).not.toContain('[2001:db8::1]');
    expect(family).toBe(DnsFamily.V4_ONLY);
  });

  it('of IPv6 alone have the others: wildcards, names that are looked up, the app behind', () => {
    const { names, inbound, domains, family, app } = seenBy(node('2001:db8::9'));
    expect(names).toEqual(expect.arrayContaining(['::_80', '2001:db8::1_6000']));
    expect(inbound).toBe('::');
    expect(domains).toContain('[2001:db8::1]');
    expect(domains).not.toContain('10.96.0.1');
    expect(family).toBe(DnsFamily.V6_ONLY);
    expect(app).toContain('"::1"');
  });

  it('of both have HTTP at both wildcards, and services at the family that they name first', () => {
    const { names, others, inbound, domains } = seenBy(node('10.0.0.1,2001:db8::9'));
    expect(names).toEqual(expect.arrayContaining(['0.0.0.0_80', '10.96.0.1_6000']));
    expect(names).not.toContain('2001:db8::1_6000');
    expect(others('0.0.0.0_80')).toEqual(['::']);
    expect(others('10.96.0.1_6000')).toEqual([]);
    expect(inbound).toBe('0.0.0.0');
    expect(domains).not.toContain('[2001:db8::1]');
  });

  it('mean nothing to a process of ours, which opens no listeners', () => {
    const { names, domains } = seenBy(node('2001:db8::9', { RIPSTOP_VERSION: '1' }));
    expect(names).toEqual(expect.arrayContaining(['0.0.0.0_80', '10.96.0.1_6000', '2001:db8::1_6000']));
    expect(domains).toEqual(expect.arrayContaining(['10.96.0.1', '[2001:db8::1]']));
  });
});
