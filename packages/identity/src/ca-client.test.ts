import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import grpc from '@grpc/grpc-js';
import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem, verifyCsr } from '@ripstop/pki';
import { IstioCertificateRequest, IstioCertificateResponse } from '@ripstop/xds-api';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CaClientOptions, requestCertificate, serverName } from './ca-client.ts';
import { createIdentity } from './identity.ts';

const DAY = 86_400_000;
const times = { notBeforeMs: Date.now() - DAY, notAfterMs: Date.now() + DAY };
const root = createSelfSignedRoot({ organization: 'ca', ...times });
const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };

function certificate(names: Parameters<typeof issueCertificate>[1]['names']): { certificateChainPem: string; privateKeyPem: string } {
  const keys = createKeyPair();
  return {
    certificateChainPem: issueCertificate(issuer, { publicKey: keys.publicKey, names, ...times }),
    privateKeyPem: privateKeyPem(keys.privateKey),
  };
}

/** Passes each connection on to the port that it is given. */
async function startBetween(targetOf: (socket: Socket) => number): Promise<{ readonly address: string; close(): void }> {
  const server = createServer((socket) => {
    socket.pipe(connect(targetOf(socket), '127.0.0.1')).pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() };
}

interface Asked {
  readonly request: IstioCertificateRequest;
  readonly authorization: readonly unknown[];
  readonly clusterId: readonly unknown[];
  readonly peer: string | undefined;
}

describe('a request to the certificate service', () => {
  const server = new grpc.Server();
  const asked: Asked[] = [];
  let answer: (respond: grpc.sendUnaryData<IstioCertificateResponse>) => void;
  let port: number;
  let mutualPort: number;

  beforeAll(async () => {
    const definition = {
      path: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
      requestStream: false,
      responseStream: false,
      requestSerialize: (message: IstioCertificateRequest) => Buffer.from(IstioCertificateRequest.encode(message).finish()),
      requestDeserialize: (bytes: Buffer) => IstioCertificateRequest.decode(bytes),
      responseSerialize: (message: IstioCertificateResponse) => Buffer.from(IstioCertificateResponse.encode(message).finish()),
      responseDeserialize: (bytes: Buffer) => IstioCertificateResponse.decode(bytes),
    };
    server.addService(
      { CreateCertificate: definition },
      {
        CreateCertificate: (
          call: grpc.ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
          respond: grpc.sendUnaryData<IstioCertificateResponse>,
        ) => {
          asked.push({
            request: call.request,
            authorization: call.metadata.get('authorization'),
            clusterId: call.metadata.get('clusterid'),
            peer: (call.getAuthContext().sslPeerCertificate as ReturnType<TLSSocket['getPeerCertificate']> | undefined)?.subjectaltname,
          });
          answer(respond);
        },
      },
    );
    const own = certificate({ dns: ['localhost'] });
    const pair = { cert_chain: Buffer.from(own.certificateChainPem), private_key: Buffer.from(own.privateKeyPem) };
    const bind = (asksForCertificates: boolean): Promise<number> => {
      const credentials = grpc.ServerCredentials.createSsl(Buffer.from(root.certificatePem), [pair], asksForCertificates);
      return new Promise((resolve, reject) => {
        server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
      });
    };
    [port, mutualPort] = await Promise.all([bind(false), bind(true)]);
  });
  afterAll(() => server.forceShutdown());
  beforeEach(() => {
    asked.length = 0;
    answer = (respond) => respond(null, { certChain: ['leaf', 'root'] });
  });

  const ask = (more: Partial<CaClientOptions> = {}): Promise<readonly string[]> =>
    requestCertificate(
      { address: `127.0.0.1:${port}`, rootCertificatePem: () => root.certificatePem, token: () => 'join', ...more },
      'the csr',
      60,
    );

  it('carries the CSR, the time and the token, and gives the chain', async () => {
    expect(await ask()).toEqual(['leaf', 'root']);
    expect(asked).toMatchObject([
      { request: { csr: 'the csr', validityDuration: 60 }, authorization: ['Bearer join'], clusterId: ['Kubernetes'], peer: undefined },
    ]);
  });

  it('goes to hosts by their name, to addresses under the name that the certificate has', async () => {
    expect(await ask({ address: `localhost:${port}` })).toEqual(['leaf', 'root']);
  });

  it.each([
    ['127.0.0.1:15012', true],
    ['[::1]:15012', true],
    ['[fe80::1]:15012', true],
    ['localhost:15012', false],
    ['istiod.istio-system.svc:15012', false],
    ['10.example:15012', false],
    ['a10:15012', false],
    ['example10:15012', false],
  ])('to %s asks for a certificate of localhost: %s', (address, overridden) => {
    expect(serverName(address)).toEqual(overridden ? { 'grpc.ssl_target_name_override': 'localhost' } : {});
  });

  it('has no authorization at all when there is no token', async () => {
    await ask({ token: () => '' });
    expect(asked[0]!.authorization).toEqual([]);
  });

  it('shows the certificate that the workload has; then a token is not needed', async () => {
    const own = certificate({ uris: ['spiffe://a/ns/b/sa/c'] });
    const unreadable = (): string => {
      throw new Error('no such file');
    };
    await ask({ address: `127.0.0.1:${mutualPort}`, certificate: () => own, token: unreadable });
    await ask({ certificate: () => undefined, token: async () => '' });
    expect(asked).toMatchObject([
      { peer: 'URI:spiffe://a/ns/b/sa/c', authorization: [] },
      { peer: undefined, authorization: [] },
    ]);
    await expect(ask({ token: unreadable })).rejects.toThrow('no such file');
  });

  it('comes from an identity with its roots and its certificate, once there are any', async () => {
    const issued = (roots: string): void => {
      answer = (respond) => {
        const uris = [`spiffe://cluster.local/ns/default/sa/web`];
        const leaf = issueCertificate(issuer, { publicKey: verifyCsr(asked.at(-1)!.request.csr), names: { uris }, ...times });
        respond(null, { certChain: [leaf, roots] });
      };
    };
    issued(root.certificatePem);
    let target = port;
    const between = await startBetween(() => target);
    const identity = createIdentity({
      trustDomain: 'cluster.local',
      namespace: 'default',
      serviceAccount: 'web',
      clock: { now: () => performance.now(), wallTime: Date.now, setTimer: () => ({ cancel: () => {} }) },
      random: () => 0.5,
      caAddress: between.address,
      rootCertificatePem: root.certificatePem,
      token: () => 'join',
    });
    await identity.ready();
    target = mutualPort;
    const stranger = createSelfSignedRoot({ organization: 'x', ...times }).certificatePem;
    issued(stranger);
    await vi.waitFor(async () => expect((await identity.rotateNow()).trustBundlePem).toBe(stranger));
    expect(asked).toMatchObject([
      { peer: undefined, authorization: ['Bearer join'] },
      { peer: 'URI:spiffe://cluster.local/ns/default/sa/web', authorization: ['Bearer join'] },
    ]);
    await vi.waitFor(() => expect(identity.rotateNow()).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE }));
    identity.close();
    between.close();
  });

  it('leaves no connection behind', async () => {
    const closed: Promise<unknown>[] = [];
    const between = await startBetween((socket) => {
      closed.push(once(socket, 'close'));
      return port;
    });
    await ask({ address: between.address });
    expect(closed).toHaveLength(1);
    await closed[0];
    between.close();
  });

  it('fails when the CA answers without a message', async () => {
    answer = (respond) => respond(null, null);
    await expect(ask()).rejects.toMatchObject({ code: expect.any(Number) });
  });

  it('fails with what the CA says', async () => {
    answer = (respond) => respond({ code: grpc.status.UNAUTHENTICATED, details: 'who are you?' });
    await expect(ask()).rejects.toMatchObject({ code: grpc.status.UNAUTHENTICATED, details: 'who are you?' });
  });

  it('is not sent to a CA that the roots do not vouch for', async () => {
    const stranger = createSelfSignedRoot({ organization: 'x', ...times }).certificatePem;
    await expect(ask({ rootCertificatePem: () => stranger })).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    expect(asked).toEqual([]);
  });
});
