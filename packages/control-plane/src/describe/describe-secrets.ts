import { X509Certificate } from 'node:crypto';
import { CA_SUFFIX, type ServerTLSSettings } from '@ripstop/istio-api';
import type { Secret } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { credentialResource } from '../translate/credential-name.ts';
import { gatewayPorts } from '../translate/gateway-servers.ts';
import { buildSecrets } from '../translate/secrets.ts';

/** The public part of a Secret that a gateway asks for. */
export interface DescribedSecret {
  readonly name: string;
  readonly type: 'Cert Chain' | 'CA';
  /** MISSING: it does not exist, cannot be read, or this client may not have it. */
  readonly status: 'ACTIVE' | 'MISSING';
  /** The certificate, or each of the bundle. */
  readonly certificates: readonly {
    readonly subject: string;
    readonly names: string;
    readonly serial: string;
    readonly notBefore: string;
    readonly notAfter: string;
    readonly valid: boolean;
  }[];
}

/** Certificates that the control plane gives a gateway. A workload's own comes from its CA and is in its own hands. */
export function describeSecrets(node: ProxyNode, push: PushContext, now: number): DescribedSecret[] {
  const terminating = gatewayPorts(node, push).ports.flatMap(({ servers }) => servers.flatMap(({ terminates }) => terminates ?? []));
  const certificates = terminating.flatMap(shown);
  const bundles = new Set(terminating.flatMap(bundleOf));
  return [...new Set([...certificates, ...bundles])].sort().map((name) => {
    const [resource] = buildSecrets(node, push, [name]);
    const pem = resource === undefined ? '' : publicPart(resource.message as Secret);
    return {
      name,
      type: bundles.has(name) && !certificates.includes(name) ? 'CA' : 'Cert Chain',
      status: resource === undefined ? 'MISSING' : 'ACTIVE',
      certificates: certificatesOf(pem, now),
    };
  });
}

function shown({ credentialName = '', credentialNames = [] }: ServerTLSSettings): string[] {
  const names = credentialName === '' ? credentialNames : [credentialName];
  return names.filter((name) => name !== 'builtin://').map(credentialResource);
}

function bundleOf(tls: ServerTLSSettings): string[] {
  const { mode, caCertCredentialName = '' } = tls;
  if (mode !== 'MUTUAL' && mode !== 'OPTIONAL_MUTUAL') return [];
  if (caCertCredentialName !== '') return [credentialResource(caCertCredentialName)];
  return shown(tls)
    .slice(0, 1)
    .map((name) => `${name}${CA_SUFFIX}`);
}

/** The chain or the roots; the key is not looked at. */
function publicPart({ type }: Secret): string {
  const source =
    type?.$case === 'tlsCertificate' ? type.value.certificateChain : type?.$case === 'validationContext' ? type.value.trustedCa : undefined;
  return source?.specifier?.$case === 'inlineBytes' ? Buffer.from(source.specifier.value).toString() : '';
}

function certificatesOf(pem: string, now: number): DescribedSecret['certificates'] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    const { subject, subjectAltName = '', serialNumber, validFromDate, validToDate } = new X509Certificate(block);
    return {
      subject: subject.replaceAll('\n', ', '),
      names: subjectAltName,
      serial: serialNumber,
      notBefore: validFromDate.toISOString(),
      notAfter: validToDate.toISOString(),
      valid: validFromDate.getTime() <= now && now < validToDate.getTime(),
    };
  });
}
