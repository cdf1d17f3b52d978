import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { PushContext } from '../push/push-context.ts';
import { ObjectStore } from '../source/object-store.ts';
import { instance, pushOf, service, sidecar } from '../testing/mesh.ts';
import { PilotMetrics } from './pilot-metrics.ts';

const CA = { ca: { rootNotAfterMs: 2_000_000, issuerNotAfterMs: 1_000_000 }, nowMs: 1_500_000 };
const NOBODY = { push: new PushContext({ objects: [], workloads: [] }), nodes: [], ...CA };

function lines(metrics: PilotMetrics, name: string): string[] {
  return metrics
    .render()
    .split('\n')
    .filter((line) => line.startsWith(name) && !line.includes('_bucket'));
}

describe('metrics of a control plane', () => {
  it('say what was sent, how large, and how long it took, by type', () => {
    const metrics = new PilotMetrics('1', () => NOBODY);
    metrics.sent(CLUSTER_TYPE_URL, 20_000, 50);
    metrics.sent(ENDPOINT_TYPE_URL, 100, 5);
    metrics.sent(ENDPOINT_TYPE_URL, 100, 500);
    expect(lines(metrics, 'pilot_xds_pushes')).toEqual(['pilot_xds_pushes{type="cds"} 1', 'pilot_xds_pushes{type="eds"} 2']);
    const text = metrics.render();
    expect(text).toContain('pilot_xds_push_time_bucket{type="eds",le="0.01"} 1\n');
    expect(text).toContain('pilot_xds_push_time_bucket{type="eds",le="1"} 2\n');
    expect(text).toContain('pilot_xds_config_size_bytes_bucket{type="cds",le="10000"} 0\n');
    expect(text).toContain('pilot_xds_config_size_bytes_sum{type="eds"} 200\n');
  });

  it('count documents that come, change and go, and each error once', () => {
    const store = new ObjectStore();
    const metrics = new PilotMetrics('1', () => NOBODY);
    const read = (text: string): void => metrics.configuration(store.update([{ name: 'a.yaml', text }])!);
    const rule = (weight: number): string =>
      `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: web }\nspec: { hosts: [web], http: [{ route: [{ destination: { host: web }, weight: ${weight} }] }] }\n`;
    read(service('web') + rule(100));
    read(service('web') + rule(50));
    read(service('web') + rule(-1));
    read(`${service('web') + rule(-1)}# again\n`);
    read(service('web'));
    expect(lines(metrics, 'pilot_k8s_cfg_events')).toEqual([
      'pilot_k8s_cfg_events{type="VirtualService",event="add"} 1',
      'pilot_k8s_cfg_events{type="VirtualService",event="update"} 1',
      'pilot_k8s_cfg_events{type="VirtualService",event="delete"} 1',
    ]);
    expect(lines(metrics, 'pilot_k8s_reg_events')).toContain('pilot_k8s_reg_events{type="Service",event="add"} 1');
    expect(lines(metrics, 'galley_validation_failed')).toHaveLength(1);
    expect(lines(metrics, 'galley_validation_failed')[0]).toMatch(/^galley_validation_failed\{resource="VirtualService",reason="\w+"\} 1$/);
  });

  it('say who is there and what is known at the moment of asking', () => {
    const push = pushOf(service('web') + service('cart'), [instance('web', '10.0.0.1')]);
    const nodes = [sidecar('a', 'default', { ISTIO_VERSION: '1.32.0' }), sidecar('b', 'default', { RIPSTOP_VERSION: '0.1.0' })];
    const metrics = new PilotMetrics('1', () => ({ push, nodes, ...CA }));
    expect(lines(metrics, 'pilot_xds{')).toEqual(['pilot_xds{version="1.32.0"} 1', 'pilot_xds{version="0.1.0"} 1']);
    expect(lines(metrics, 'pilot_services')).toEqual(['pilot_services 2']);
    expect(lines(metrics, 'pilot_eds_no_instances')).toEqual(['pilot_eds_no_instances 1']);
  });

  it('say what cannot be as the documents have it', () => {
    const tcp = (name: string, more: string): string =>
      `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { clusterIP: 10.9.9.9, selector: { app: ${name} }, ports: [{ name: tcp, port: 9000, targetPort: 9000 }${more}] }\n`;
    const push = pushOf(
      `${service('web')}${service('web-too', { selector: 'web' }).replace('name: http', 'name: tcp')}${tcp('a', '')}${tcp('b', '')}`,
    );
    const web = sidecar('web-1', 'default', { LABELS: { app: 'web' } });
    const metrics = new PilotMetrics('1', () => ({ push, nodes: [web, sidecar('nobody')], ...CA }));
    expect(lines(metrics, 'pilot_conflict_inbound_listener')).toEqual(['pilot_conflict_inbound_listener 1']);
    expect(lines(metrics, 'pilot_conflict_outbound')).toEqual(['pilot_conflict_outbound_listener_tcp_over_current_tcp 1']);
    expect(lines(metrics, 'pilot_no_ip')).toEqual(['pilot_no_ip 1']);
    const alone = new PilotMetrics('1', () => ({ push, nodes: [], ...CA }));
    expect(
      lines(alone, 'pilot_conflict')
        .concat(lines(alone, 'pilot_no_ip'))
        .every((line) => line.endsWith(' 0')),
    ).toBe(true);
  });

  it('escape what a label must not hold', () => {
    const metrics = new PilotMetrics('a"b\\c\nd', () => NOBODY);
    expect(lines(metrics, 'istio_build')).toEqual(['istio_build{component="pilot",tag="a\\"b\\\\c\\nd"} 1']);
  });

  it('say when the CA runs out, as istiod does', () => {
    const text = new PilotMetrics('1', () => ({ push: pushOf(service('web')), nodes: [], ...CA })).render();
    const value = (name: string): string => new RegExp(`^${name} (.*)$`, 'm').exec(text)![1]!;
    expect(value('citadel_server_root_cert_expiry_timestamp')).toBe('2000');
    expect(value('citadel_server_root_cert_expiry_seconds')).toBe('500');
    expect(value('citadel_server_cert_chain_expiry_timestamp')).toBe('1000');
    expect(value('citadel_server_cert_chain_expiry_seconds')).toBe('-500');
  });
});
