import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { CLUSTER_TYPE_URL, ClientStatusRequest, ClientStatusResponse, ConfigStatus } from '@ripstop/xds-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deltaClient, wireNode } from '../testing/ads-client.ts';
import { service } from '../testing/mesh.ts';
import { type ControlPlane, createControlPlane } from './control-plane.ts';

const WEB = 'outbound|80||web.default.svc.cluster.local';
const METHOD = '/envoy.service.status.v3.ClientStatusDiscoveryService/StreamClientStatus';

/** StreamClientStatus of the running control plane. */
describe('the client status service of the port', () => {
  const parts = new AsyncDisposableStack();
  let plane: ControlPlane;

  beforeAll(async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-csds-'));
    parts.defer(() => rmSync(dir, { recursive: true }));
    writeFileSync(join(dir, 'services.yaml'), service('web'));
    plane = parts.use(createControlPlane({ source: dir, xds: '127.0.0.1:0', xdsTls: '127.0.0.1:0', http: '' }));
    await plane.start();
  });
  afterAll(() => parts.disposeAsync());

  const tokenOf = (namespace: string, serviceAccount: string): string => plane.tokens.issue({ namespace, serviceAccount, ttlSeconds: 60 });

  /** A member that has been sent the cluster of `web`; `answer` takes or refuses it. */
  async function member(name: string, namespace: string): Promise<(error?: string) => Promise<void>> {
    const rootCertificatePem = plane.ca.rootCertificatePem;
    const made = deltaClient({ address: plane.addresses.xdsTls, rootCertificatePem, token: tokenOf(namespace, name) });
    const client = parts.adopt(made, (each) => each.close());
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode(name, namespace), resourceNamesSubscribe: [WEB] });
    const { nonce } = await client.next();
    return async (error) => {
      const errorDetail = error === undefined ? undefined : { code: 3, message: error };
      client.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: nonce, errorDetail });
      // The server has read this far when it answers.
      client.send({ typeUrl: CLUSTER_TYPE_URL, resourceNamesSubscribe: ['probe'] });
      await client.next();
    };
  }

  function stream({ token, address = plane.addresses.xdsTls }: { readonly token?: string; readonly address?: string }) {
    const secure = address === plane.addresses.xdsTls;
    const credentials = secure ? grpc.credentials.createSsl(Buffer.from(plane.ca.rootCertificatePem)) : grpc.credentials.createInsecure();
    const client = parts.adopt(
      new grpc.Client(address, credentials, secure ? { 'grpc.ssl_target_name_override': 'localhost' } : {}),
      (each) => each.close(),
    );
    const metadata = new grpc.Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return client.makeBidiStreamRequest(
      METHOD,
      (message: ClientStatusRequest) => Buffer.from(ClientStatusRequest.encode(message).finish()),
      (bytes: Buffer) => ClientStatusResponse.decode(bytes),
      metadata,
    );
  }

  function ask(call: ReturnType<typeof stream>, request: object = {}): Promise<ClientStatusResponse> {
    return new Promise((resolve, reject) => {
      call.once('data', resolve);
      call.once('error', reject);
      call.write(ClientStatusRequest.fromPartial(request));
    });
  }

  const rows = ({ config }: ClientStatusResponse): unknown[] =>
    config.map(({ node, genericXdsConfigs }) => {
      const web = genericXdsConfigs.find(({ name }) => name === WEB)!;
      return [node!.id.split('~')[2], web.typeUrl, web.configStatus, web.errorState?.details];
    });

  it('answers on one stream as often as it is asked, of the clients of the caller’s namespace: sent, taken, refused and why', async () => {
    const takes = await member('takes', 'default');
    const refuses = await member('refuses', 'default');
    await member('stranger', 'other');
    const call = stream({ token: tokenOf('default', 'operator') });
    expect(rows(await ask(call))).toEqual([
      ['takes.default', CLUSTER_TYPE_URL, ConfigStatus.STALE, undefined],
      ['refuses.default', CLUSTER_TYPE_URL, ConfigStatus.STALE, undefined],
    ]);
    await takes();
    await refuses(`${WEB}: no`);
    const second = await ask(call);
    expect(rows(second)).toEqual([
      ['takes.default', CLUSTER_TYPE_URL, ConfigStatus.SYNCED, undefined],
      ['refuses.default', CLUSTER_TYPE_URL, ConfigStatus.ERROR, `${WEB}: no`],
    ]);
    const { id } = second.config[1]!.node!;
    const one = await ask(call, { nodeMatchers: [{ nodeId: { matchPattern: { $case: 'exact', value: id } } }] });
    expect(one.config.map(({ node }) => node!.id)).toEqual([id]);
    call.end();
  });

  it('asks for a token, and is not there in plaintext', async () => {
    await expect(ask(stream({}))).rejects.toMatchObject({ code: grpc.status.UNAUTHENTICATED });
    await expect(ask(stream({ address: plane.addresses.xds }))).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  });
});
