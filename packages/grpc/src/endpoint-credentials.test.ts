import { once } from 'node:events';
import { type AddressInfo, connect, createServer as createTcp, type Server } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import grpc from '@grpc/grpc-js';
import type { Clock, TlsTransport, UpstreamTls } from '@ripstop/core';
import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { afterEach, describe, expect, it } from 'vitest';
import { EndpointCredentials } from './endpoint-credentials.ts';
import { upstreamTls } from './transport-error.ts';

const times = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 60_000 };
const root = createSelfSignedRoot({ organization: 'root', ...times });
const ID = 'spiffe://cluster.local/ns/default/sa/web';
const clock: Clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };

function certificate(names: Parameters<typeof issueCertificate>[1]['names']): { cert: string; key: string } {
  const { publicKey, privateKey } = createKeyPair();
  const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
  return { cert: issueCertificate(issuer, { publicKey, names, ...times }), key: privateKeyPem(privateKey) };
}

const WEB = certificate({ uris: [ID], dns: ['web.test'] });
const TLS: TlsTransport = {
  kind: 'tls',
  key: 'k',
  sni: '',
  alpn: [],
  alpnOverride: false,
  clientCertificate: undefined,
  trust: { kind: 'inline', ca: root.certificatePem },
  acceptsSans: () => true,
  expectedSans: [],
  autoSni: false,
  autoSanValidation: false,
};

let server: Server | undefined;
afterEach(() => void server?.close());

interface Outcome {
  readonly secure?: boolean;
  readonly error?: string;
  readonly servername?: string | false | null | undefined;
  readonly alpn?: string | false | null;
}

/** What becomes of one connection, and what the server was shown. */
async function secured(transport: Partial<TlsTransport>, options: TlsOptions = {}, host = 'web.test'): Promise<Outcome> {
  const shown: Pick<Outcome, 'servername' | 'alpn'>[] = [];
  server = createServer({ ...WEB, ALPNProtocols: ['istio-h2', 'h2'], ...options }, (socket: TLSSocket) => {
    shown.push({ servername: (socket as { servername?: string | false | null }).servername, alpn: socket.alpnProtocol });
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const result = await connectTo((server.address() as AddressInfo).port, new EndpointCredentials({ ...TLS, ...transport }, tlsOf(), host));
  return { ...shown[0], ...result };
}

const tlsOf = (): UpstreamTls => upstreamTls({ identity: undefined, clock });

async function connectTo(port: number, credentials: EndpointCredentials): Promise<Outcome> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const connector = credentials._createSecureConnector({ path: 'x' }, {});
  await connector.waitForReady();
  try {
    const { socket: secure, secure: isSecure } = await connector.connect(socket);
    // What the server was shown is told once it has answered.
    secure.end();
    await once(secure.resume(), 'close');
    return { secure: isSecure };
  } catch (error) {
    return { error: (error as Error).message };
  } finally {
    socket.destroy();
  }
}

describe('TLS to an endpoint', () => {
  it('is made with what the mesh offers to its own, else with HTTP/2', async () => {
    expect(await secured({})).toMatchObject({ secure: true, alpn: 'h2' });
    expect(await secured({ alpnOverride: true })).toMatchObject({ secure: true, alpn: 'istio-h2' });
  });

  it.each<[transport: Partial<TlsTransport>, host: string, servername: string | false]>([
    [{ sni: 'outbound_.80._.web' }, 'web.test', 'outbound_.80._.web'],
    [{ sni: 'a.test', autoSni: true }, 'web.test', 'a.test'],
    [{ autoSni: true }, 'web.test', 'web.test'],
    [{ autoSni: true }, '10.0.0.1', false],
    [{ autoSni: true }, '::1', false],
    [{}, 'web.test', false],
  ])('with %j to %s names the server %j', async (transport, host, servername) => {
    expect(await secured(transport, {}, host)).toMatchObject({ secure: true, servername });
  });

  it('is only made with a server of the names that are expected', async () => {
    const accepts: TlsTransport['acceptsSans'] = (uris, dns) => uris.includes(ID) && dns.includes('web.test');
    expect(await secured({ acceptsSans: accepts })).toMatchObject({ secure: true });
    expect((await secured({ acceptsSans: accepts }, certificate({ uris: [`${ID}2`], dns: ['web.test'] }))).error).toBe(
      `TLS_error:|CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_SAN_matcher,_certificate_SANs_are_[${ID}2,web.test]:TLS_error_end`,
    );
  });

  it.each<[transport: Partial<TlsTransport>, host: string, taken: boolean]>([
    [{ autoSanValidation: true }, 'web.test', true],
    [{ autoSanValidation: true }, 'other.test', false],
    [{ autoSanValidation: true, sni: 'web.test' }, 'other.test', true], // The name that is asked for is not the host's.
    [{}, 'other.test', true],
  ])('with %j to %s is made with web.test: %s', async (transport, host, taken) => {
    const { secure, error } = await secured(transport, {}, host);
    expect(taken ? secure : error).toEqual(taken ? true : expect.stringMatching(/^TLS_error:\|Hostname/));
  });

  it('is not made with a server that the roots do not vouch for; without roots anybody will do', async () => {
    const stranger = createSelfSignedRoot({ organization: 'x', ...times }).certificatePem;
    expect((await secured({ trust: { kind: 'inline', ca: stranger } })).error).toMatch(/^TLS_error:\|.*:TLS_error_end$/);
    expect(await secured({ trust: undefined })).toMatchObject({ secure: true });
  });

  it('is made with a server that chooses no protocol', async () => {
    expect(await secured({}, { ALPNProtocols: [] })).toMatchObject({ secure: true, alpn: false });
  });

  it('fails with a server that hangs up in the handshake', async () => {
    server = createTcp((socket) => socket.destroy());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { error } = await connectTo((server.address() as AddressInfo).port, new EndpointCredentials(TLS, tlsOf(), 'web.test'));
    expect(error).toMatch(/^TLS_error:\|/);
  });
});

describe('the credentials of an endpoint', () => {
  const raw = new EndpointCredentials({ kind: 'raw' }, tlsOf(), 'web.test');
  const tls = new EndpointCredentials(TLS, tlsOf(), 'web.test');

  it('are secure where they make TLS', () => {
    expect([raw._isSecure(), tls._isSecure()]).toEqual([false, true]);
  });

  it('are never taken for others, however alike', () => {
    expect([raw._equals(raw), raw._equals(new EndpointCredentials({ kind: 'raw' }, tlsOf(), 'web.test'))]).toEqual([true, false]);
  });

  it('leave a plaintext connection as it is', async () => {
    const socket = connect(0);
    socket.on('error', () => {});
    const own = grpc.CallCredentials.createEmpty();
    const connector = raw._createSecureConnector({ path: 'x' }, {}, own);
    expect(await connector.connect(socket)).toEqual({ socket, secure: false });
    expect(connector.getCallCredentials()).toBe(own);
    socket.destroy();
  });
});
