import { connect, type TLSSocket } from 'node:tls';
import { afterEach, expect, it } from 'vitest';
import { createCertificateAuthority } from '../ca/certificate-authority.ts';
import { Rounds } from '../testing/rounds.ts';
import { Arrivals } from './arrivals.ts';
import { TlsTermination } from './tls-termination.ts';

let parts = new DisposableStack();
afterEach(() => {
  parts.dispose();
  parts = new DisposableStack();
});

const authority = createCertificateAuthority({ trustDomain: 'cluster.local', now: Date.now });
const { certificatePem, privateKeyPem } = authority.serverCertificate({ dns: ['localhost'], ips: ['127.0.0.1'] });
const stranger = createCertificateAuthority({ trustDomain: 'cluster.local', now: Date.now });

async function listening(secured: (socket: TLSSocket, arrivals: Arrivals) => void): Promise<number> {
  const tls = new TlsTermination({ certificatePem, privateKeyPem, clientRootsPem: authority.rootCertificatePem });
  const arrivals: Arrivals = new Arrivals(tls.terminate((socket) => secured(socket, arrivals)));
  parts.defer(() => arrivals.destroy());
  return arrivals.listen('127.0.0.1', 0);
}

function client(port: number, options: object = {}): TLSSocket {
  const socket = parts.adopt(
    connect({ host: '127.0.0.1', port, ca: authority.rootCertificatePem, ALPNProtocols: ['h2'], ...options }),
    (each) => each.destroy(),
  );
  socket.on('error', () => {});
  return socket;
}

it.each([
  ['a certificate of the CA', authority, true],
  ['a certificate of another CA', stranger, false],
  ['no certificate', undefined, false],
])('whoever shows %s is let in, and known by it: %#', async (_what, issuer, authorized) => {
  const shown = issuer?.serverCertificate({ dns: ['client'], ips: [] });
  const known = Promise.withResolvers<unknown[]>();
  const port = await listening((socket) => known.resolve([socket.authorized, socket.alpnProtocol]));
  client(port, shown === undefined ? {} : { cert: shown.certificatePem, key: shown.privateKeyPem });
  expect(await known.promise).toEqual([authorized, 'h2']);
});

it('a handshake that fails closes its connection and nothing else', async () => {
  let secured = 0;
  const port = await listening((socket) => {
    secured++;
    socket.resume();
  });
  const broken = client(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
  await new Promise<void>((resolve) => broken.once('close', () => resolve()));
  expect(secured).toBe(0);
  await new Promise<void>((resolve) => client(port).once('secureConnect', () => resolve()));
});

it('clients that go together are closed some at a time', async () => {
  const count = 40;
  const rounds = new Rounds();
  const all = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  let [here, left] = [0, count];
  const port = await listening((socket, arrivals) => {
    arrivals.endInTurn(socket);
    socket.resume();
    const end = socket.end.bind(socket);
    socket.end = () => {
      rounds.count();
      return end();
    };
    socket.once('close', () => {
      if (--left === 0) gone.resolve();
    });
    if (++here === count) all.resolve();
  });
  const clients = Array.from({ length: count }, () => client(port));
  await all.promise;
  for (const socket of clients) socket.end();
  await gone.promise;
  expect(rounds.counts.reduce((sum, each) => sum + each)).toBe(count);
  expect(Math.max(...rounds.counts)).toBeLessThanOrEqual(8);
});
