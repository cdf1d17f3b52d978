import { createTcpExchange, type FilterEnv, type LocalReply, NO_PEER, type Snapshot, type UpstreamGrpcCall } from '@ripstop/core';
import { CheckRequest, CheckResponse, fromProtoJson, NetworkExtAuthz } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { NO_HTTP } from '../../tcp-proxy.ts';
import { networkExtAuthz } from './network-ext-authz.ts';

const PEER = {
  ...NO_PEER,
  address: '10.0.0.9',
  port: 5,
  localAddress: '10.0.0.1',
  localPort: 443,
  mtls: true,
  uriSans: ['spiffe://a'],
  certificatePem: 'a b\n',
  sni: 'shop',
};
const decode = (config: object) =>
  networkExtAuthz.decode(
    NetworkExtAuthz.encode(
      fromProtoJson(NetworkExtAuthz, { stat_prefix: 'x', grpc_service: { envoy_grpc: { cluster_name: 'authz' } }, ...config }),
    ).finish(),
  );

async function ask(config: object, answer: Uint8Array | 'down' = new Uint8Array()) {
  const calls: UpstreamGrpcCall[] = [];
  const env: FilterEnv = {
    clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
    random: () => 0,
    direction: 'outbound',
    state: (_key, create) => create(),
    ownSpiffeId: () => 'spiffe://own',
    calls: {
      http: async () => ({ failure: 'not by HTTP' }),
      grpc: async (call) => {
        calls.push(call);
        return answer === 'down' ? { failure: 'down' } : { message: answer };
      },
    },
  };
  const x = createTcpExchange({ proxy: { manager: NO_HTTP }, snapshot: {} as Snapshot, peer: PEER, port: 443, startedAt: 0 });
  const reply = (await networkExtAuthz.create(decode(config), undefined, env)!.onRequest!(x)) as LocalReply | undefined;
  return { call: calls[0], shown: calls[0] && CheckRequest.decode(calls[0].message).attributes!, details: reply?.details };
}

describe('an authorizer of connections', () => {
  it('is asked at its cluster, within its time, and is shown both sides', async () => {
    const { call, shown, details } = await ask({});
    expect(call).toMatchObject({ cluster: 'authz', path: '/envoy.service.auth.v3.Authorization/Check', timeoutMs: 200 });
    expect(shown).toMatchObject({
      source: { principal: 'spiffe://a', certificate: '', address: { address: { value: { address: '10.0.0.9' } } } },
      destination: { principal: 'spiffe://own', service: 'shop', address: { address: { value: { portSpecifier: { value: 443 } } } } },
      request: undefined,
      tlsSession: undefined,
    });
    expect(details).toBeUndefined();
  });

  it('is shown the certificate and the server name when it is to be', async () => {
    const { shown } = await ask({ include_peer_certificate: true, include_tls_session: true });
    expect([shown!.source!.certificate, shown!.tlsSession?.sni]).toEqual(['a%20b%0A', 'shop']);
  });

  it.each([
    ['denies', CheckResponse.encode(CheckResponse.fromPartial({ status: { code: 7 } })).finish(), 'ext_authz_denied'],
    ['is down', 'down' as const, 'ext_authz_error'],
    ['talks nonsense', new Uint8Array([0xff]), 'ext_authz_error'],
  ])('that %s closes the connection', async (_what, answer, details) => {
    expect((await ask({}, answer)).details).toBe(details);
  });

  it('is not asked about what its metadata leaves out', async () => {
    const filter_enabled_metadata = { filter: 'f', path: [{ key: 'a' }], value: { present_match: true } };
    expect((await ask({ filter_enabled_metadata })).call).toBeUndefined();
  });

  it('that cannot be asked, or is to be shown more, is refused by name', () => {
    expect(() => decode({ grpc_service: undefined })).toThrow('no grpc_service');
    expect(() => decode({ bootstrap_metadata_labels_key: 'k' })).toThrow('bootstrap_metadata_labels_key');
    expect(() => decode({ grpc_service: { google_grpc: { target_uri: 'dns:///authz', stat_prefix: 'x' } } })).toThrow(
      'network ext_authz: grpc_service: only envoy_grpc',
    );
  });

  it('that nobody carries calls to lets nobody in', async () => {
    const env = {
      random: () => 0,
      direction: 'outbound',
      state: (_key: string, create: () => unknown) => create(),
    } as unknown as FilterEnv;
    const x = createTcpExchange({ proxy: { manager: NO_HTTP }, snapshot: {} as Snapshot, peer: PEER, port: 443, startedAt: 0 });
    expect(await networkExtAuthz.create(decode({}), undefined, env)!.onRequest!(x)).toMatchObject({ status: 403 });
  });
});
