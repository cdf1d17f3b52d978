import {
  HttpConnectionManager,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_ServerHeaderTransformation,
  LISTENER_TYPE_URL,
  type Listener,
  ROUTE_TYPE_URL,
  type RouteConfiguration,
  Router,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { pushOf, service, sidecar } from '../testing/mesh.ts';
import { translate } from '../translate/translate.ts';
import type { PushContext } from './push-context.ts';

const HIDDEN = {
  proxyHeaders: {
    forwardedClientCert: 'SANITIZE_SET',
    setCurrentClientCertDetails: { subject: false, cert: true },
    requestId: { disabled: true },
    server: { value: 'mine' },
    attemptCount: { disabled: true },
    envoyDebugHeaders: { disabled: true },
  },
};

const pod = (annotation: string): string => `---
apiVersion: v1
kind: Pod
metadata: { name: web-1, namespace: default, labels: { app: web }, annotations: { proxy.istio.io/config: ${JSON.stringify(annotation)} } }
status: { podIP: 10.0.0.1 }
`;

function manager(push: PushContext, listener: string, node = sidecar()): HttpConnectionManager {
  const { filterChains } = translate(LISTENER_TYPE_URL, node, push, []).find(({ name }) => name === listener)!.message as Listener;
  const filters = filterChains.flatMap((chain) => chain.filters);
  const found = filters.find(({ name }) => name === 'envoy.filters.network.http_connection_manager')!;
  return HttpConnectionManager.decode((found.configType as { readonly value: { readonly value: Uint8Array } }).value.value);
}

function hides({ httpFilters }: HttpConnectionManager): boolean {
  const { configType } = httpFilters.at(-1)!;
  return Router.decode((configType as { readonly value: { readonly value: Uint8Array } }).value.value).suppressEnvoyHeaders;
}

function counts(push: PushContext, node = sidecar()): boolean {
  const [routes] = translate(ROUTE_TYPE_URL, node, push, ['80']);
  return (routes!.message as RouteConfiguration).virtualHosts[0]!.includeRequestAttemptCount;
}

describe('proxyHeaders', () => {
  it('of the mesh say what servers and clients add', () => {
    const push = pushOf(service('web'), [], { defaultConfig: HIDDEN });
    const server = manager(push, 'virtualInbound');
    expect(server).toMatchObject({
      serverName: 'mine',
      generateRequestId: false,
      forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
      setCurrentClientCertDetails: { subject: false, cert: true, dns: true, uri: true, chain: false },
    });
    const client = manager(push, '0.0.0.0_80');
    expect([client.serverName, client.generateRequestId, hides(server), hides(client), counts(push)]).toEqual([
      'mine',
      false,
      true,
      true,
      false,
    ]);
  });

  it('by default are as ever, and a switched-off server header passes', () => {
    const plain = pushOf(service('web'));
    expect([manager(plain, 'virtualInbound').serverName, manager(plain, '0.0.0.0_80').serverName]).toEqual(['istio-envoy', '']);
    expect([manager(plain, 'virtualInbound').generateRequestId, hides(manager(plain, '0.0.0.0_80')), counts(plain)]).toEqual([
      undefined,
      false,
      true,
    ]);
    const off = pushOf(service('web'), [], { defaultConfig: { proxyHeaders: { server: { disabled: true } } } });
    expect(manager(off, 'virtualInbound')).toMatchObject({
      serverName: '',
      serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
    });
  });
});

describe('the ProxyConfig of a node', () => {
  const sampling = (push: PushContext, node = sidecar()): number => manager(push, 'virtualInbound', node).tracing!.randomSampling!.value;
  const mesh = { defaultConfig: { tracing: { sampling: 10 }, ...HIDDEN } };

  it.each([
    ['1m30s', '1m30s'],
    ['soon', undefined],
    [90, undefined],
    [undefined, undefined],
  ])('has the idle timeout that a node says by ISTIO_META_IDLE_TIMEOUT: %s', (said, idleTimeout) => {
    const node = sidecar('web-1', 'default', said === undefined ? {} : { IDLE_TIMEOUT: said });
    expect(pushOf('').proxySettings(node).idleTimeout).toBe(idleTimeout);
  });

  it('that its agent sends is all there is: the one of the mesh does not count beside it', () => {
    const push = pushOf(service('web'), [], mesh);
    const node = sidecar('web-1', 'default', { PROXY_CONFIG: { tracing: { sampling: 50 } } });
    expect([sampling(push), sampling(push, node), counts(push), counts(push, node)]).toEqual([10, 50, false, true]);
  });

  it('that its Pod is annotated with replaces fields of the mesh, each whole', () => {
    const push = pushOf(service('web') + pod('tracing:\n  sampling: 25\n'), [], mesh);
    expect([sampling(push), sampling(push, sidecar('web-2')), counts(push)]).toEqual([25, 10, false]);
  });

  it('of its WorkloadGroup counts for the members', () => {
    const group = `---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: vms, namespace: default }
spec:
  metadata: { annotations: { proxy.istio.io/config: '{"tracing":{"sampling":30}}' } }
  template: {}
`;
    const push = pushOf(service('web') + group, [], mesh);
    expect(sampling(push, sidecar('vm-1', 'default', { AUTO_REGISTER_GROUP: 'vms' }))).toBe(30);
  });

  it('with a mistake in it has no effect', () => {
    const push = pushOf(service('web') + pod('tracing: { sampling: lots }'), [], mesh);
    expect(sampling(push)).toBe(10);
  });
});
