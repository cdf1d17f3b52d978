import { checkServerIdentity, type PeerCertificate } from 'node:tls';

/** An entry of Node's `URI:…, DNS:…`; those with awkward characters are JSON strings, whose commas do not part entries. */
const ENTRY = /(?:[^,"]|"(?:[^"\\]|\\.)*")+/g;

/**
 * Why a server's certificate is not for `host`. Only its alternative names count, never a common name (as in Envoy), and a star only as
 * the whole leftmost label of three or more, where Envoy and node:tls take one within a label.
 */
export function serverNameMismatch(host: string, { subjectaltname = '' }: Pick<PeerCertificate, 'subjectaltname'>): Error | undefined {
  const entries = (subjectaltname.match(ENTRY) ?? []).map((entry) => entry.trim());
  const whole = entries.filter((entry) => !entry.startsWith('DNS:') || /^DNS:(?:\*\.)?[^*]*[^*.]$/.test(entry));
  return checkServerIdentity(host, { subject: {}, subjectaltname: whole.join(', ') } as PeerCertificate);
}
