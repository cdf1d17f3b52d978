import { X509Certificate } from 'node:crypto';
import type { ServerTLSSettings } from '@ripstop/istio-api';
import type { Secret } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { gatewayPorts } from '../translate/gateway-servers.ts';
import { buildSecrets } from '../translate/secrets.ts';
import { callersCredential, shownCredentials } from '../translate/server-credentials.ts';

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

function shown(tls: ServerTLSSettings): string[] {
  return shownCredentials(tls).filter((name) => name !== 'builtin://');
}

function bundleOf(tls: ServerTLSSettings): string[] {
  const asksCallers = tls.mode === 'MUTUAL' || tls.mode === 'OPTIONAL_MUTUAL';
  const name = asksCallers ? callersCredential(tls) : undefined;
  return name === undefined ? [] : [name];
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
