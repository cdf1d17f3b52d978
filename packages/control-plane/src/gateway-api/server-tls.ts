import type { ServerTLSSettings } from '@ripstop/istio-api';
import { NETWORK_LABEL } from '../push/locality-policy.ts';
import type { Certificates } from './certificates.ts';
import { joined, type Path, type Problem } from './conditions.ts';
import type { FrontendTls, KubernetesGatewaySpec, ListenerSpec, ListenerTls, ObjectRef } from './gateway-types.ts';
import type { ReferenceGrants } from './reference-grants.ts';

type Fields = { -readonly [K in keyof ServerTLSSettings]: ServerTLSSettings[K] };

/** What a listener's TLS is made from. */
export interface TlsScope {
  readonly namespace: string;
  readonly gateway: KubernetesGatewaySpec;
  /** Of the Gateway. */
  readonly labels: Readonly<Record<string, string>>;
  readonly certificates: Certificates;
  readonly grants: ReferenceGrants;
}

/** TLS of a server, or why there is none. `server` undefined: the listener has no TLS section. */
export interface ResolvedTls {
  readonly server: ServerTLSSettings | undefined;
  readonly problem: Problem | undefined;
}

const TERMINATE_MODE = 'gateway.istio.io/tls-terminate-mode';
const CIPHER_SUITES = 'gateway.istio.io/tls-cipher-suites';
const MAX_CERTIFICATES = 2;
const LISTENER_PROTOCOL = 'gateway.istio.io/listener-protocol';
/** The port for other networks, where it is not the usual one. */
export const GATEWAY_PORT_LABEL: string = 'networking.istio.io/gatewayPort';
export const DEFAULT_GATEWAY_PORT: string = '15443';

/** Settings of a listener as an Istio server has them (Istio: buildTLS). `path`: the listener in its document. */
export function serverTls({ tls, port }: ListenerSpec, path: Path, scope: TlsScope): ResolvedTls {
  if (tls === undefined) return { server: undefined, problem: undefined };
  const suites = (tls.options?.[CIPHER_SUITES] ?? '').split(',').flatMap((suite) => suite.trim() || []);
  const cipherSuites = suites.length === 0 ? {} : { cipherSuites: suites };
  if (tls.mode === 'Passthrough') {
    const mode = leadsByName(tls, port, scope.labels) ? 'AUTO_PASSTHROUGH' : 'PASSTHROUGH';
    return { server: { mode, ...cipherSuites }, problem: undefined };
  }
  const option = tls.options?.[TERMINATE_MODE];
  if (option === 'ISTIO_MUTUAL') return { server: { mode: 'ISTIO_MUTUAL' }, problem: undefined };
  if (option === 'ISTIO_SIMPLE') return { server: { mode: 'SIMPLE', credentialName: 'builtin://' }, problem: undefined };
  const server: Fields = { mode: option === 'MUTUAL' || option === 'OPTIONAL_MUTUAL' ? option : 'SIMPLE', ...cipherSuites };
  const problem = addCertificates(server, tls.certificateRefs ?? [], [...path, 'tls', 'certificateRefs'], scope);
  if (problem !== undefined) return { server, problem };
  return { server, problem: addFrontendValidation(server, option, port, scope) };
}

/** Between networks of a mesh: the listener says so, or it stands at the port for that in a Gateway of a network (Istio: IsAutoPassthrough). */
export function leadsByName({ options }: ListenerTls, port: number, labels: Readonly<Record<string, string>>): boolean {
  if (options?.[LISTENER_PROTOCOL] === 'auto-passthrough') return true;
  if (labels[NETWORK_LABEL] === undefined) return false;
  return String(port) === (labels[GATEWAY_PORT_LABEL] ?? DEFAULT_GATEWAY_PORT);
}

function addCertificates(server: Fields, refs: readonly ObjectRef[], path: Path, scope: TlsScope): Problem | undefined {
  if (refs.length > MAX_CERTIFICATES) {
    return { reason: 'InvalidCertificateRef', message: 'TLS mode can only support up to 2 server certificates', path };
  }
  const problems = refs.map((ref, index) => certificateProblem(ref, [...path, index], scope));
  const names = refs.flatMap(({ name, namespace = scope.namespace }, index) =>
    problems[index] === undefined ? [`kubernetes-gateway://${namespace}/${name}`] : [],
  );
  // One that can be served is enough: the listener opens with it.
  if (names.length === 0) {
    const none: Problem = {
      reason: 'InvalidCertificateRef',
      message: 'certificateRefs is empty: name a Secret with tls.crt and tls.key',
      path,
    };
    return joined(problems.filter((problem) => problem !== undefined)) ?? none;
  }
  if (names.length === 1) server.credentialName = names[0]!;
  else server.credentialNames = names;
  return undefined;
}

/** A reference into another namespace is judged before it is looked at: its answer must not tell what exists there. */
function certificateProblem(ref: ObjectRef, path: Path, { namespace, certificates, grants }: TlsScope): Problem | undefined {
  const { name, group = '', kind = 'Secret', namespace: target = namespace } = ref;
  if (!grants.allows({ kind: 'Gateway', namespace }, { group: '', kind: 'Secret', name, namespace: target })) {
    return {
      reason: 'RefNotPermitted',
      message: `certificateRef ${name}/${target} not accessible to a Gateway in namespace "${namespace}" (missing a ReferenceGrant?)`,
      path,
    };
  }
  const invalid = (why: string): Problem => ({
    reason: 'InvalidCertificateRef',
    message: `invalid certificate reference ${ref.group ?? ''}/${ref.kind ?? ''}/${name}.${ref.namespace ?? ''}, ${why}`,
    path,
  });
  if (group !== '' || kind !== 'Secret') return invalid('only secret is allowed');
  const key = `${target}/${name}`;
  if (!certificates.has('Secret', key)) return invalid(`secret ${key} not found`);
  const problem = certificates.pairProblem(key);
  return problem === undefined ? undefined : invalid(problem);
}

/** Client certificates: `spec.tls.frontend` of the Gateway, for one port or all (Istio: resolveGatewayTLS). */
function addFrontendValidation(server: Fields, option: string | undefined, port: number, scope: TlsScope): Problem | undefined {
  const { frontend } = scope.gateway.tls ?? {};
  const index = (frontend?.perPort ?? []).findIndex((entry) => entry.port === port);
  const settings: FrontendTls | undefined = index === -1 ? frontend?.default : frontend!.perPort![index]!.tls;
  const refs = settings?.validation?.caCertificateRefs ?? [];
  if (refs.length === 0) return undefined;
  const where = index === -1 ? ['default'] : ['perPort', index, 'tls'];
  const path = ['spec', 'tls', 'frontend', ...where, 'validation', 'caCertificateRefs'];
  if (refs.length > 1) return { reason: 'InvalidCACertificateRef', message: 'only one caCertificateRef is supported', path };
  const problem = bundleProblem(refs[0]!, [...path, 0], scope);
  if (problem !== undefined) return problem;
  const { name, kind = '', namespace = scope.namespace } = refs[0]!;
  const insecure = settings?.validation?.mode === 'AllowInsecureFallback' && option !== 'MUTUAL' && option !== 'OPTIONAL_MUTUAL';
  const fallback = settings?.validation?.mode === 'AllowInsecureFallback' ? 'OPTIONAL_MUTUAL' : 'MUTUAL';
  server.mode = option === 'MUTUAL' || option === 'OPTIONAL_MUTUAL' ? option : fallback;
  server.insecureSkipVerify = insecure;
  server.caCertCredentialName = `${kind === 'Secret' ? 'kubernetes-gateway' : 'configmap'}://${namespace}/${name}-cacert`;
  return undefined;
}

function bundleProblem(ref: ObjectRef, path: Path, { namespace, certificates, grants }: TlsScope): Problem | undefined {
  const { name, group = '', kind = '', namespace: target = namespace } = ref;
  if (
    !grants.allows({ kind: 'Gateway', namespace }, { group: '', kind: kind === 'Secret' ? kind : 'ConfigMap', name, namespace: target })
  ) {
    return {
      reason: 'RefNotPermitted',
      message: `caCertificateRef ${target}/${name} not accessible to a Gateway in namespace "${namespace}" (missing a ReferenceGrant?)`,
      path,
    };
  }
  const invalid = (reason: string, why: string): Problem => ({
    reason,
    message: `invalid CA certificate reference ${group}/${kind}/${name}.${ref.namespace ?? ''}, ${why}`,
    path,
  });
  if (group !== '' || (kind !== 'Secret' && kind !== 'ConfigMap')) {
    return invalid('InvalidCACertificateKind', 'only secret and configmap are allowed');
  }
  const key = `${target}/${name}`;
  if (!certificates.has(kind, key)) return invalid('InvalidCACertificateRef', `${kind.toLowerCase()} ${key} not found`);
  const problem = certificates.bundleProblem(kind, key);
  return problem === undefined ? undefined : invalid('InvalidCACertificateRef', problem);
}

/** `spec.tls.backend.clientCertificateRef`: nothing would show it to backends, so it is a problem whatever it names. */
export function backendCertificateProblem({ tls }: KubernetesGatewaySpec): Problem | undefined {
  if (tls?.backend?.clientCertificateRef === undefined) return undefined;
  return {
    reason: 'InvalidClientCertificateRef',
    message: 'clientCertificateRef has no effect: backends see the certificate of the gateway in the mesh; remove it',
    path: ['spec', 'tls', 'backend', 'clientCertificateRef'],
  };
}
