import { rootCertificates } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { TlsTransport } from './cluster/cluster.ts';
import type { IdentitySource, Svid } from './ports.ts';
import { FakeClock } from './testing/fakes.ts';
import { UpstreamTls } from './upstream-tls.ts';

const CA = rootCertificates[0]!;

function transport(fields: Pick<Partial<TlsTransport>, 'clientCertificate' | 'trust' | 'key'>): TlsTransport {
  return {
    kind: 'tls',
    key: 'k',
    sni: '',
    alpn: [],
    alpnOverride: true,
    clientCertificate: undefined,
    trust: undefined,
    acceptsSans: () => true,
    expectedSans: [],
    autoSni: false,
    ...fields,
  } as TlsTransport;
}

/** What a driver gives; `files` are read by their name. */
function made({ files = {} as Record<string, string>, svid = undefined as Partial<Svid> | undefined } = {}) {
  const clock = new FakeClock();
  const read: string[] = [];
  const state = { svid };
  const identity: IdentitySource = { current: () => state.svid as Svid | undefined, onRotate: () => () => {} };
  const tls = new UpstreamTls({
    identity,
    clock,
    readFile: (path) => {
      read.push(path);
      if (files[path] === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
      return Buffer.from(files[path]);
    },
    failure: (message, cause) => new Error(`driver: ${message}`, cause === undefined ? undefined : { cause }),
  });
  return { clock, read, state, tls };
}

const of = (generation: number): Partial<Svid> => ({ generation, trustBundlePem: CA, certificateChainPem: '', privateKeyPem: '' });

describe('secure contexts of a client', () => {
  it.each<[what: string, wanted: TlsTransport]>([
    ['the roots', transport({ trust: { kind: 'identity' } })],
    ['the certificate', transport({ clientCertificate: { kind: 'identity' } })],
  ])('wait for the identity whose %s they need', (_what, wanted) => {
    expect(() => made().tls.contextOf(wanted)).toThrow('driver: TLS_error: no workload certificate yet');
  });

  it('need no identity where nothing of it is asked for', () => {
    for (const trust of [undefined, { kind: 'system' }, { kind: 'inline', ca: CA }] as const)
      expect(made().tls.contextOf(transport({ trust }))).toBeDefined();
  });

  it('are made once for an identity, and anew for its next one', () => {
    const { tls, state } = made({ svid: of(1) });
    const wanted = transport({ trust: { kind: 'identity' } });
    const first = tls.contextOf(wanted);
    expect(tls.contextOf(wanted)).toBe(first);
    expect(tls.contextOf({ ...wanted, key: 'other' })).not.toBe(first);
    state.svid = of(2);
    expect(tls.contextOf(wanted)).not.toBe(first);
  });

  it('that need no identity stay when it is rotated, until they are forgotten', () => {
    const { tls, state } = made({ svid: of(1) });
    const wanted = transport({ trust: { kind: 'inline', ca: CA } });
    const first = tls.contextOf(wanted);
    state.svid = of(2);
    expect(tls.contextOf(wanted)).toBe(first);
    tls.forget();
    expect(tls.contextOf(wanted)).not.toBe(first);
  });

  it('of files read them again after a minute', () => {
    const { tls, clock, read } = made({ files: { ca: CA } });
    const wanted = transport({ trust: { kind: 'files', ca: 'ca' } });
    const first = tls.contextOf(wanted);
    clock.advance(59_999);
    expect(tls.contextOf(wanted)).toBe(first);
    clock.advance(1);
    expect(tls.contextOf(wanted)).not.toBe(first);
    expect(read).toEqual(['ca', 'ca']);
  });

  it('of another source than the identity fail without one as the driver tells', () => {
    const failed = new UpstreamTls({
      clock: new FakeClock(),
      readFile: () => {
        throw 'no error';
      },
      failure: (message) => new Error(message),
    });
    expect(() => failed.contextOf(transport({ trust: { kind: 'identity' } }))).toThrow('no workload certificate yet');
    expect(() => failed.contextOf(transport({ trust: { kind: 'files', ca: 'ca' } }))).toThrow('TLS_error: no error');
  });

  it('without files are never made again', () => {
    const { tls, clock } = made();
    const wanted = transport({ trust: { kind: 'inline', ca: CA } });
    const first = tls.contextOf(wanted);
    clock.advance(1e9);
    expect(tls.contextOf(wanted)).toBe(first);
  });

  it.each<[what: string, wanted: TlsTransport, message: RegExp]>([
    ['nobody can be trusted', transport({ trust: { kind: 'none', reason: 'why' } }), /^driver: TLS_error: why$/],
    ['the roots are no certificate', transport({ trust: { kind: 'inline', ca: CA, crl: 'x' } }), /^driver: TLS_error: .+/],
    ['a file is missing', transport({ trust: { kind: 'files', ca: 'gone' } }), /^driver: TLS_error: ENOENT.*gone/],
    ['a list of the revoked is missing', transport({ trust: { kind: 'files', ca: 'ca', crl: 'crl' } }), /^driver: TLS_error: ENOENT.*crl/],
    [
      'a file of the certificate is missing',
      transport({ clientCertificate: { kind: 'files', certificate: 'cert', key: 'key' } }),
      /^driver: TLS_error: ENOENT.*cert/,
    ],
    [
      'a pair of a secret is none',
      transport({ clientCertificate: { kind: 'secret', pair: { certificateChainPem: CA, privateKeyPem: 'x' } } }),
      /^driver: TLS_error: (?!ENOENT|The "path")/,
    ],
    ['the certificate of the identity is none', transport({ clientCertificate: { kind: 'identity' } }), /^driver: TLS_error: .+/],
  ])('cannot be made when %s, which the driver tells', (_what, wanted, message) => {
    const svid = { ...of(1), certificateChainPem: 'x', privateKeyPem: 'x' };
    expect(() => made({ files: { ca: CA }, svid }).tls.contextOf(wanted)).toThrow(message);
  });
});
