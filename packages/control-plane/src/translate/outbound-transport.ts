import type { ClientTLSSettings } from '@ripstop/istio-api';
import { type AutoTls, type ClusterFields, offersHttp2 } from './cluster-policy.ts';
import { outboundSni } from './names.ts';
import { isWithheld, originated, originates } from './origination.ts';
import { type OutboundInput, policyOf, upstreamProtocol } from './outbound-input.ts';
import { istioMutualSocket, rawSocket } from './tls.ts';

/** A tls mode of the DestinationRule decides alone; else auto-mTLS decides endpoint by endpoint. */
export function transport(input: OutboundInput, tls: ClientTLSSettings | undefined, passthroughHosts: boolean): ClusterFields {
  const { push, service, port } = input;
  const { http } = policyOf(input).connectionPool ?? {};
  const http2 = offersHttp2(upstreamProtocol(input.node, port), http);
  switch (tls?.mode) {
    case 'DISABLE':
      return {};
    case 'SIMPLE':
    case 'MUTUAL': {
      const { node, rule } = input;
      const transportSocket = originated({ tls, node, push, rule, subjectAltNames: originationNames(input, tls), http2 });
      return transportSocket === undefined ? {} : { transportSocket };
    }
    case 'ISTIO_MUTUAL':
      return { transportSocket: mutual(input, http2, tls) };
  }
  if (!push.mesh.autoMtls || service.meshExternal || forbidsMtls(input)) return {};
  if (passthroughHosts) return { transportSocket: mutual(input, http2, undefined) };
  return {
    transportSocketMatches: [
      { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: mutual(input, http2, undefined) },
      { name: 'tlsMode-disabled', match: {}, transportSocket: rawSocket() },
    ],
  };
}

/**
 * Nobody on the other side may speak mTLS (Istio: BestEffortInferServiceMTLSMode): the namespace forbids it, or the caller names the host
 * itself, where it is all or nothing, and some endpoint does not speak it.
 */
function forbidsMtls({ push, service, port, rule, subset }: OutboundInput): boolean {
  const balancer = (subset === undefined ? rule?.trafficPolicy : subset.trafficPolicy)?.loadBalancer;
  if (service.resolution === 'NONE' || balancer?.simple === 'PASSTHROUGH') {
    const endpoints = push.endpointsAt(service, port);
    if (endpoints.length === 0 || endpoints.some(({ mtls }) => !mtls)) return true;
  }
  return push.peerAuthentications.namespaceMode(service.namespace) === 'DISABLE';
}

/** What the server may be called: the rule's names, else those of a ServiceEntry and of its endpoints. */
function originationNames({ push, service }: OutboundInput, tls: ClientTLSSettings): readonly string[] {
  if ((tls.subjectAltNames ?? []).length > 0) return tls.subjectAltNames!;
  return service.registry === 'External' ? push.identitiesOf(service) : [];
}

function mutual({ push, service, port, subset }: OutboundInput, http2: boolean, tls: ClientTLSSettings | undefined) {
  return istioMutualSocket({
    subjectAltNames: tls?.subjectAltNames ?? (service.resolution === 'DYNAMIC_DNS' ? [] : push.identitiesOf(service)),
    sni: tls?.sni || (service.resolution === 'DYNAMIC_DNS' ? '' : outboundSni(service.hostname, port.port, subset?.name)),
    http2,
  });
}

/** Istio: setAutoSniAndAutoSanValidation. */
export function autoTls({ node, rule }: OutboundInput, tls: ClientTLSSettings | undefined): AutoTls {
  if (!originates(tls) || (isWithheld(tls, node, rule) && !node.ripstop)) return { sni: false, san: false };
  const sni = (tls.sni ?? '') === '';
  return { sni, san: sni && (tls.subjectAltNames ?? []).length === 0 && tls.insecureSkipVerify !== true };
}
