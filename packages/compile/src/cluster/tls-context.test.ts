import type { DownstreamTls, TlsTransport } from '@ripstop/core';
import {
  DownstreamTlsContext,
  fromProtoJson,
  ProxyProtocolUpstreamTransport,
  packAny,
  RawBuffer,
  TransportSocket,
  UpstreamTlsContext,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileDownstreamTls, compileTransportSocket, upstreamSecretNames } from './tls-context.ts';

const WEB = 'spiffe://cluster.local/ns/default/sa/web';
const API = 'spiffe://cluster.local/ns/default/sa/api';

type Arguments = Parameters<typeof compileTransportSocket>;

function upstream(common: unknown, more: object = {}, alpnOverride = false, fromHost?: Arguments[2], secrets?: Arguments[3]) {
  const context = fromProtoJson(UpstreamTlsContext, { ...more, common_tls_context: common });
  const socket = TransportSocket.fromPartial({
    name: 'envoy.transport_sockets.tls',
    configType: { $case: 'typedConfig', value: packAny(UpstreamTlsContext, context) },
  });
  return compileTransportSocket(socket, alpnOverride, fromHost, secrets) as TlsTransport;
}

function downstream(common: unknown, more: object = {}): DownstreamTls {
  return compileDownstreamTls(fromProtoJson(DownstreamTlsContext, { ...more, common_tls_context: common }));
}

const rootsOf = (name: string, context: unknown = {}) => ({
  combined_validation_context: { default_validation_context: context, validation_context_sds_secret_config: { name } },
});
const certificate = (...names: string[]) => ({ tls_certificate_sds_secret_configs: names.map((name) => ({ name })) });

describe('an upstream connection', () => {
  it('is raw without a transport socket, and with one that says so', () => {
    const raw = { name: 'raw', configType: { $case: 'typedConfig', value: packAny(RawBuffer, RawBuffer.fromPartial({})) } } as const;
    const named = TransportSocket.fromPartial({ name: 'envoy.transport_sockets.raw_buffer' });
    for (const socket of [undefined, named, TransportSocket.fromPartial(raw)])
      expect(compileTransportSocket(socket, false)).toEqual({ kind: 'raw' });
  });

  it('of another kind is refused by name: nothing goes out in plain text for want of a decoder', () => {
    const other = packAny(DownstreamTlsContext, DownstreamTlsContext.fromPartial({}));
    const socket = TransportSocket.fromPartial({ name: 'quic', configType: { $case: 'typedConfig', value: other } });
    expect(() => compileTransportSocket(socket, false)).toThrow('transport socket quic is not supported');
    const empty = TransportSocket.fromPartial({ name: 'envoy.transport_sockets.tls' });
    expect(() => compileTransportSocket(empty, false)).toThrow('transport socket envoy.transport_sockets.tls is not supported');
  });

  it('has the SNI, the protocols and the names that its context gives', () => {
    const transport = upstream({ alpn_protocols: ['istio', 'h2'] }, { sni: 'web' }, true);
    expect(transport).toMatchObject({ kind: 'tls', sni: 'web', alpn: ['istio', 'h2'], alpnOverride: true, expectedSans: [] });
    expect(transport).toMatchObject({ autoSni: false, autoSanValidation: false });
    expect(upstream(undefined)).toMatchObject({ kind: 'tls', sni: '', alpn: [], alpnOverride: false, trust: undefined });
    expect(upstream({}, {}, false, { autoSni: true, autoSanValidation: true })).toMatchObject({ autoSni: true, autoSanValidation: true });
  });

  it.each<[name: string, wanted: unknown]>([
    ['default', { kind: 'identity' }],
    ['file-cert:/etc/c.pem~/etc/k.pem', { kind: 'files', certificate: '/etc/c.pem', key: '/etc/k.pem' }],
    ['', undefined],
  ])('shows the certificate %j: %j', (name, wanted) => {
    expect(upstream(certificate(name)).clientCertificate).toEqual(wanted);
  });

  it('shows none when none is named', () => {
    expect(upstream({}).clientCertificate).toBeUndefined();
  });

  it.each(['kubernetes://x', 'x file-cert:a~b', 'file-cert:a', 'file-cert:~b', 'file-cert:a~', 'Default'])(
    'with the certificate %j, which has not come, trusts nobody',
    (name) => {
      const transport = upstream(certificate(name));
      expect(transport.clientCertificate).toBeUndefined();
      expect(transport.trust).toEqual({
        kind: 'none',
        reason: `the certificate ${name} has not come from the control plane; it is never kept on disk`,
      });
    },
  );

  it.each<[what: string, common: unknown, wanted: unknown]>([
    ['the roots of the mesh', rootsOf('ROOTCA'), { kind: 'identity' }],
    ['those of the system', rootsOf('file-root:system'), { kind: 'system' }],
    ['those of a file', rootsOf('file-root:/etc/ca.pem'), { kind: 'files', ca: '/etc/ca.pem' }],
    ['those of a file by SDS alone', { validation_context_sds_secret_config: { name: 'file-root:/a' } }, { kind: 'files', ca: '/a' }],
    ['nobody, where the name is invalid', rootsOf('invalid://x'), { kind: 'none', reason: expect.stringContaining('cannot be had') }],
    ['those of a file in the context', { validation_context: { trusted_ca: { filename: '/b' } } }, { kind: 'files', ca: '/b' }],
    ['those in the context', { validation_context: { trusted_ca: { inline_string: 'PEM' } } }, { kind: 'inline', ca: 'PEM' }],
    ['those of the system, where the context says so', { validation_context: { system_root_certs: {} } }, { kind: 'system' }],
    [
      'nobody, where the roots come from elsewhere',
      { validation_context: { trusted_ca: { environment_variable: 'X' } } },
      { kind: 'none', reason: 'CA certificates by environmentVariable are not supported' },
    ],
    [
      'nobody, where a provider has the roots',
      { validation_context: { ca_certificate_provider_instance: { instance_name: 'x' } } },
      { kind: 'none', reason: 'CA certificates by ca_certificate_provider_instance are not supported' },
    ],
    ['those in the context, as bytes', { validation_context: { trusted_ca: { inline_bytes: 'UEVN' } } }, { kind: 'inline', ca: 'PEM' }],
    ['anybody, where there is no context', {}, undefined],
    ['anybody, where the context names no roots', { validation_context: {} }, undefined],
    ['anybody, where no secret is named', { combined_validation_context: { default_validation_context: {} } }, undefined],
  ])('trusts %s', (_what, common, wanted) => {
    expect(upstream(common).trust).toEqual(wanted);
  });

  it.each(['rootca', 'kubernetes://x', 'my-file-root:/a'])('with the roots %j, which have not come, trusts nobody', (name) => {
    expect(upstream(rootsOf(name)).trust).toEqual({
      kind: 'none',
      reason: `the bundle ${name} has not come from the control plane; it is never kept on disk`,
    });
  });

  it('trusts what the control plane serves, with the revocations of it; what is missing or of another kind is nobody, with the reason', () => {
    const bundle = (revokedPem: string) => () => ({ kind: 'trust', trustBundlePem: 'PEM', revokedPem }) as const;
    const common = rootsOf('kubernetes://x');
    expect(upstream(common, {}, false, undefined, bundle('')).trust).toEqual({ kind: 'inline', ca: 'PEM' });
    expect(upstream(common, {}, false, undefined, bundle('CRL')).trust).toEqual({ kind: 'inline', ca: 'PEM', crl: 'CRL' });
    expect(upstream(common, {}, false, undefined, () => 'absent').trust).toMatchObject({
      kind: 'none',
      reason: expect.stringMatching(/^the control plane gives no bundle kubernetes:\/\/x: /),
    });
    expect(upstream(certificate('kubernetes://x'), {}, false, undefined, bundle(''))).toMatchObject({
      clientCertificate: undefined,
      trust: { kind: 'none', reason: 'kubernetes://x is no certificate' },
    });
  });

  it('looks at the revocation list of a file beside its roots', () => {
    const crl = { filename: '/crl.pem' };
    expect(upstream(rootsOf('file-root:/a', { crl })).trust).toEqual({ kind: 'files', ca: '/a', crl: '/crl.pem' });
    expect(upstream({ validation_context: { trusted_ca: { filename: '/b' }, crl } }).trust).toEqual({
      kind: 'files',
      ca: '/b',
      crl: '/crl.pem',
    });
  });

  it('looks at the revocation list in the text beside its roots', () => {
    const roots = { inline_string: 'PEM' };
    for (const crl of [{ inline_string: 'CRL' }, { inline_bytes: 'Q1JM' }])
      expect(upstream({ validation_context: { trusted_ca: roots, crl } }).trust).toEqual({ kind: 'inline', ca: 'PEM', crl: 'CRL' });
    const secret = () => ({ kind: 'trust', trustBundlePem: 'PEM', revokedPem: '' }) as const;
    expect(upstream(rootsOf('kubernetes://x', { crl: { inline_string: 'CRL' } }), {}, false, undefined, secret).trust).toEqual({
      kind: 'inline',
      ca: 'PEM',
      crl: 'CRL',
    });
  });

  it.each<[what: string, common: unknown]>([
    ['a file beside a text', { validation_context: { trusted_ca: { inline_string: 'PEM' }, crl: { filename: '/crl' } } }],
    ['a text beside a file', { validation_context: { trusted_ca: { filename: '/b' }, crl: { inline_string: 'CRL' } } }],
    ['an environment variable', { validation_context: { trusted_ca: { filename: '/b' }, crl: { environment_variable: 'X' } } }],
    ['a file beside the roots of the mesh', rootsOf('ROOTCA', { crl: { filename: '/crl' } })],
    ['a file beside those of the system', rootsOf('file-root:system', { crl: { filename: '/crl' } })],
    ['a file beside no roots', { validation_context: { crl: { filename: '/crl' } } }],
  ])('trusts nobody where a revocation list cannot be looked at: %s', (_what, common) => {
    expect(upstream(common).trust).toMatchObject({
      kind: 'none',
      reason: expect.stringMatching(/^a list of revoked certificates must be/),
    });
  });

  it('with a revocation list beside that of the secret trusts nobody, and where there is no secret says that', () => {
    const both = () => ({ kind: 'trust', trustBundlePem: 'PEM', revokedPem: 'CRL' }) as const;
    const common = rootsOf('kubernetes://x', { crl: { inline_string: 'CRL' } });
    expect(upstream(common, {}, false, undefined, both).trust).toMatchObject({ reason: expect.stringMatching(/^a list of revoked/) });
    expect(upstream(common).trust).toMatchObject({ reason: expect.stringContaining('has not come') });
  });

  it.each([{ verify_certificate_hash: ['ab'] }, { verify_certificate_spki: ['Ab='] }])('with pins is refused: %j', (context) => {
    expect(() => upstream(rootsOf('ROOTCA', context))).toThrow("pins of a server's certificate are not supported");
  });

  it('with a validator of its own is refused: without roots beside it any certificate would do', () => {
    const ownValidator = Buffer.from([0x62, 0]); // field 12, empty
    const field = (number: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([number * 8 + 2, body.length]), body]);
    const plain = field(1, field(3, ownValidator));
    const combined = field(1, field(8, field(1, ownValidator)));
    for (const value of [plain, combined]) {
      const any = { ...packAny(UpstreamTlsContext, UpstreamTlsContext.fromPartial({})), value };
      const socket = TransportSocket.fromPartial({ name: 'tls', configType: { $case: 'typedConfig', value: any } });
      expect(() => compileTransportSocket(socket, false)).toThrow('custom_validator_config');
    }
  });

  describe('behind a header of the PROXY protocol', () => {
    const behind = (config: object | undefined, inner: TransportSocket | undefined): TransportSocket => {
      const header = fromProtoJson(ProxyProtocolUpstreamTransport, { ...(config === undefined ? {} : { config }) });
      const value = packAny(ProxyProtocolUpstreamTransport, { ...header, transportSocket: inner });
      return TransportSocket.fromPartial({ name: 'proxy', configType: { $case: 'typedConfig', value } });
    };
    const tls = TransportSocket.fromPartial({
      name: 'tls',
      configType: {
        $case: 'typedConfig',
        value: packAny(
          UpstreamTlsContext,
          fromProtoJson(UpstreamTlsContext, { sni: 'web', common_tls_context: { ...certificate('mine'), ...rootsOf('roots') } }),
        ),
      },
    });

    it.each<[config: object | undefined, version: 1 | 2]>([
      [undefined, 1],
      [{}, 1],
      [{ version: 'V1' }, 1],
      [{ version: 'V2' }, 2],
    ])('is raw, or what stands within it, with the header in front: %j', (config, proxyProtocol) => {
      expect(compileTransportSocket(behind(config, undefined), false)).toEqual({ kind: 'raw', proxyProtocol });
      const fromHost = { autoSni: true, autoSanValidation: true };
      const pair = { kind: 'keyPair', certificateChainPem: 'C', privateKeyPem: 'K' } as never;
      const [within, alone] = [behind(config, tls), tls].map((socket) => compileTransportSocket(socket, true, fromHost, () => pair));
      expect(JSON.stringify(within)).toBe(JSON.stringify({ ...alone, proxyProtocol }));
      expect(within).toMatchObject({ kind: 'tls', sni: 'web', autoSni: true, alpnOverride: true, clientCertificate: { pair } });
    });

    it('needs the secrets of what stands within it', () => {
      expect(upstreamSecretNames(behind(undefined, tls))).toEqual(upstreamSecretNames(tls));
      expect(upstreamSecretNames(behind(undefined, undefined))).toEqual([]);
    });

    it('is refused with extensions, which would not be sent', () => {
      const config = { pass_through_tlvs: {} };
      expect(() => compileTransportSocket(behind(config, undefined), false)).toThrow('with extensions is not supported');
    });
  });

  it('shows the certificate of a secret', () => {
    const pair = { kind: 'keyPair', certificateChainPem: 'C', privateKeyPem: 'K' } as never;
    expect(upstream(certificate('kubernetes://x'), {}, false, undefined, () => pair).clientCertificate).toEqual({ kind: 'secret', pair });
    expect(upstream(rootsOf('kubernetes://x'), {}, false, undefined, () => pair).trust).toEqual({
      kind: 'none',
      reason: 'kubernetes://x is no bundle',
    });
  });

  it('asks the control plane for the secrets that are not of this machine', () => {
    const namesOf = (common: unknown): string[] => {
      const context = fromProtoJson(UpstreamTlsContext, { common_tls_context: common });
      return upstreamSecretNames(
        TransportSocket.fromPartial({ name: 'tls', configType: { $case: 'typedConfig', value: packAny(UpstreamTlsContext, context) } }),
      );
    };
    expect(namesOf({ ...certificate('kubernetes://a'), ...rootsOf('kubernetes://b') })).toEqual(['kubernetes://a', 'kubernetes://b']);
    expect(namesOf({ ...certificate('default'), ...rootsOf('ROOTCA') })).toEqual([]);
    expect([upstreamSecretNames(undefined), upstreamSecretNames(TransportSocket.fromPartial({ name: 'x' }))]).toEqual([[], []]);
  });

  it('is kept apart from one that differs in anything that the handshake depends on', () => {
    const keys = [
      upstream({}),
      upstream({}, { sni: 'a' }),
      upstream({ alpn_protocols: ['h2'] }),
      upstream({}, {}, true),
      upstream(certificate('default')),
      upstream(rootsOf('ROOTCA')),
      upstream(rootsOf('ROOTCA', { match_subject_alt_names: [{ exact: WEB }] })),
      upstream({}, {}, false, { autoSni: true, autoSanValidation: false }),
    ].map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(upstream({}).key).toBe(keys[0]);
  });
});

describe('the names that the certificate of the other side must have', () => {
  const accepts = (context: unknown, uris: readonly string[], dns: readonly string[] = []): boolean[] => [
    upstream(rootsOf('ROOTCA', context)).acceptsSans(uris, dns),
    downstream(rootsOf('ROOTCA', context)).acceptsSans(uris, dns),
  ];

  it.each<[context: unknown, uris: readonly string[], dns: readonly string[], wanted: boolean]>([
    [{}, [], [], true],
    [{ match_subject_alt_names: [{ exact: WEB }] }, [WEB], [], true],
    [{ match_subject_alt_names: [{ exact: WEB }] }, [API], [], false],
    [{ match_subject_alt_names: [{ exact: WEB }] }, [`${WEB}2`], [], false],
    [{ match_subject_alt_names: [{ exact: WEB }] }, [], [], false],
    [{ match_subject_alt_names: [{ exact: WEB }, { exact: API }] }, [API], [], true],
    [{ match_subject_alt_names: [{ exact: WEB }] }, [API, WEB], [], true],
    [{ match_subject_alt_names: [{ prefix: 'spiffe://cluster.local/' }] }, [API], [], true],
    [{ match_subject_alt_names: [{ prefix: 'spiffe://cluster.local/' }] }, ['spiffe://other/x'], [], false],
    [{ match_subject_alt_names: [{ exact: 'web.test' }] }, [], ['api.test', 'web.test'], true],
    [{ match_subject_alt_names: [{ exact: 'web.test' }] }, [API], ['api.test'], false],
    [{ match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: WEB } }] }, [WEB], [], true],
    [{ match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: WEB } }] }, [API], [], false],
  ])('of %j: %j and %j are taken: %s', (context, uris, dns, wanted) => {
    expect(accepts(context, uris, dns)).toEqual([wanted, wanted]);
  });

  it('stand in explanations as they are, patterns with their kind', () => {
    const context = {
      match_subject_alt_names: [{ exact: WEB }, { prefix: 'spiffe://a/' }, { safe_regex: { regex: 'x.*' } }],
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { suffix: '/b' } }],
    };
    expect(upstream(rootsOf('ROOTCA', context)).expectedSans).toEqual([WEB, 'prefix:spiffe://a/', 'safeRegex:…', 'suffix:/b']);
  });
});

describe('a listener with TLS', () => {
  it('asks for what its context says', () => {
    expect(
      downstream(
        {
          ...certificate('default', 'file-cert:a~b'),
          ...rootsOf('ROOTCA'),
          alpn_protocols: ['h2', 'http/1.1'],
          tls_params: { tls_minimum_protocol_version: 'TLSv1_3', cipher_suites: ['ECDHE-ECDSA-AES256-GCM-SHA384'] },
        },
        { require_client_certificate: true },
      ),
    ).toMatchObject({
      requireClientCertificate: true,
      alpn: ['h2', 'http/1.1'],
      minVersion: 'TLSv1.3',
      ciphers: ['ECDHE-ECDSA-AES256-GCM-SHA384'],
      pins: undefined,
      certificateName: 'default',
      otherCertificateNames: ['file-cert:a~b'],
      validationName: 'ROOTCA',
    });
  });

  it.each([
    ['a name', { match_subject_alt_names: [{ exact: WEB }] }, true],
    ['a pin', { verify_certificate_hash: ['ab'] }, true],
    ['neither', {}, false],
  ])('that wants %s of a certificate wants a certificate, as in Envoy', (_what, context, wanted) => {
    expect(downstream(rootsOf('ROOTCA', context)).requireClientCertificate).toBe(wanted);
  });

  it('asks for nothing more without one, and never for less than TLS 1.2', () => {
    const { acceptsSans, ...rest } = downstream(undefined);
    expect(rest).toEqual({
      requireClientCertificate: false,
      alpn: [],
      minVersion: 'TLSv1.2',
      ciphers: [],
      pins: undefined,
      certificateName: '',
      validationName: '',
    });
    expect(acceptsSans([], [])).toBe(true);
    for (const version of ['TLS_AUTO', 'TLSv1_0', 'TLSv1_2'])
      expect(downstream({ tls_params: { tls_minimum_protocol_version: version } }).minVersion).toBe('TLSv1.2');
  });

  it.each([
    ['TLSv1_2', 'TLSv1.2'],
    ['TLSv1_3', undefined],
    ['TLS_AUTO', undefined],
  ])('with the maximum %s: %s', (version, wanted) => {
    expect(downstream({ tls_params: { tls_maximum_protocol_version: version } }).maxVersion).toBe(wanted);
  });

  it.each(['TLSv1_0', 'TLSv1_1'])('with the maximum %s is refused', (version) => {
    expect(() => downstream({ tls_params: { tls_maximum_protocol_version: version } })).toThrow('a maximum below TLS 1.2');
  });

  it('takes pins with colons and without, in any case; of keys as they are', () => {
    const { pins } = downstream(rootsOf('ROOTCA', { verify_certificate_hash: ['AB:cd', 'EF01'] }));
    expect(pins).toEqual({ certificates: new Set(['abcd', 'ef01']), publicKeys: new Set() });
    expect(downstream(rootsOf('ROOTCA', { verify_certificate_spki: ['Ab='] })).pins).toEqual({
      certificates: new Set(),
      publicKeys: new Set(['Ab=']),
    });
  });

  it('that would let in callers whom nobody vouches for is refused', () => {
    expect(() => downstream(rootsOf('ROOTCA', { trust_chain_verification: 'ACCEPT_UNTRUSTED' }))).toThrow('nobody vouches for');
  });

  it.each([
    ['a list of revoked certificates', { crl: { filename: '/crl' } }, 'a list of revoked certificates counts in a secret only'],
    ['roots', { trusted_ca: { inline_string: 'PEM' } }, 'roots count in a secret only'],
  ])('with %s beside the name of a secret is refused', (_what, context, why) => {
    expect(() => downstream(rootsOf('kubernetes://x', context))).toThrow(why);
  });

  it('whose validation is of another kind is refused by name', () => {
    const other = { validation_context_certificate_provider: { name: 'x' } };
    expect(() => downstream(other)).toThrow('validation by validationContextCertificateProvider is not supported');
  });
});
