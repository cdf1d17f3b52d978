import { createHash, type X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { NO_PEER, type Peer } from '@ripstop/core';
import { parseSubjectAltNames } from './subject-alt-names.ts';

const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]+)*$/;

const MAX_SPIFFE_ID_BYTES = 2048;

type Names = Pick<Peer, 'mtls' | 'uriSans' | 'dnsSans' | 'subject' | 'certificateHash' | 'certificatePem'>;

/** The caller's names, from a certificate that was verified against the trust bundle. */
export function namesOfCertificate(certificate: X509Certificate): Names {
  const { uris, dns } = parseSubjectAltNames(certificate.subjectAltName);
  return {
    mtls: true,
    uriSans: uris,
    dnsSans: dns,
    // Node prints one relative name per line, RFC 2253 begins with the last.
    subject: (certificate.subject ?? '').split('\n').reverse().join(','),
    certificateHash: createHash('sha256').update(certificate.raw).digest('hex'),
    certificatePem: certificate.toString(),
  };
}

/** Why a certificate that chains to the trust bundle is refused all the same (the SPIFFE X.509-SVID rules); undefined = it may speak. */
export function refusalOf(certificate: X509Certificate, { uriSans, dnsSans }: Names): string | undefined {
  if (certificate.ca) return 'a CA certificate as a leaf';
  if (uriSans.length > 1) return 'more than one URI SAN';
  const id = uriSans[0];
  if (id !== undefined && (id.length > MAX_SPIFFE_ID_BYTES || !SPIFFE_ID.test(id))) return 'a URI SAN that is no SPIFFE id';
  return dnsSans.some((name) => /\p{Cc}/u.test(name)) ? 'a control character in a DNS SAN' : undefined;
}

/** Over plaintext, or without a client certificate, `names` is undefined. */
export function peerOfSocket(socket: Socket, names: Names | undefined, sni: string, alpn: string): Peer {
  return {
    ...NO_PEER,
    ...names,
    address: plainAddress(socket.remoteAddress),
    port: socket.remotePort ?? 0,
    localAddress: plainAddress(socket.localAddress),
    localPort: socket.localPort ?? 0,
    sni,
    alpn,
  };
}

/** A dual-stack socket's IPv4 caller as IPv4. */
function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
