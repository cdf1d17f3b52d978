import forge from 'node-forge';

// node-forge serves as DER writer and reader only: it has no elliptic curves, and its signature code is not used anywhere.
const { asn1, util } = forge;
type Node = forge.asn1.Asn1;
const { Class, Type } = asn1;

export type DerNode = Node;

const universal = (type: number, constructed: boolean, value: Node[] | string): Node =>
  asn1.create(Class.UNIVERSAL, type, constructed, value);

export const sequence = (...items: readonly Node[]): Node => universal(Type.SEQUENCE, true, [...items]);
export const set = (...items: readonly Node[]): Node => universal(Type.SET, true, [...items]);
export const oid = (dotted: string): Node => universal(Type.OID, false, asn1.oidToDer(dotted).getBytes());
export const utf8 = (text: string): Node => universal(Type.UTF8, false, util.encodeUtf8(text));
export const bool = (value: boolean): Node => universal(Type.BOOLEAN, false, value ? '\xff' : '\x00');
export const nothing = (): Node => universal(Type.NULL, false, '');
export const octets = (content: Node | string): Node =>
  universal(Type.OCTETSTRING, false, typeof content === 'string' ? content : asn1.toDer(content).getBytes());
/** `unused` bits at the end of the last byte. */
export const bits = (content: string, unused = 0): Node => universal(Type.BITSTRING, false, String.fromCharCode(unused) + content);
export const integer = (bytes: Uint8Array): Node => universal(Type.INTEGER, false, binary(bytes));
/** GeneralizedTime from 2050 on, UTCTime before, as RFC 5280 wants. */
export const time = (ms: number): Node => {
  const date = new Date(ms);
  return date.getUTCFullYear() >= 2050
    ? universal(Type.GENERALIZEDTIME, false, asn1.dateToGeneralizedTime(date))
    : universal(Type.UTCTIME, false, asn1.dateToUtcTime(date));
};
/** A context-specific tag: explicit around nodes, implicit around bytes. */
export const tagged = (tag: number, content: readonly Node[] | string): Node =>
  typeof content === 'string'
    ? asn1.create(Class.CONTEXT_SPECIFIC, tag, false, content)
    : asn1.create(Class.CONTEXT_SPECIFIC, tag, true, [...content]);

export function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('binary');
}

/** Of a BIT STRING that was read: how many bits of the last byte are unused, then the bytes. */
export function contentOfBits(node: Node): Buffer {
  return Buffer.from((node as { bitStringContents?: string }).bitStringContents ?? String(node.value), 'binary');
}

export function encodeDer(node: Node): Buffer {
  return Buffer.from(asn1.toDer(node).getBytes(), 'binary');
}

/** Throws on anything that is not exactly one DER value. */
export function decodeDer(bytes: Uint8Array): Node {
  return asn1.fromDer(util.createBuffer(binary(bytes)), { strict: true, parseAllBytes: true } as never);
}

export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The blocks of a PEM text that carry this label. */
export function fromPem(text: string, label: string): Buffer[] {
  const blocks = text.matchAll(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*?)-----END ${label}-----`, 'g'));
  return [...blocks].map((match) => Buffer.from(match[1]!.replace(/\s/g, ''), 'base64'));
}
