import { once } from 'node:events';
import { connect } from 'node:tls';
import { CLUSTER_TYPE_URL } from '@ripstop/xds-api';
import { afterEach, describe, expect, it } from 'vitest';
import { AdsService } from '../ads/ads-service.ts';
import { type CertificateAuthority, createCertificateAuthority } from '../ca/certificate-authority.ts';
import { MeshTrust } from '../ca/mesh-trust.ts';
import { WorkloadRegistry } from '../registry/workload-registry.ts';
import { deltaClient, wireNode } from '../testing/ads-client.ts';
import { FakeScheduler } from '../testing/fake-scheduler.ts';
import { pushOf, service } from '../testing/mesh.ts';
import { GrpcServer } from './grpc-server.ts';
import { ServedIdentity } from './served-identity.ts';

const DAY_MS = 24 * 3_600_000;
/** Real certificates are of the real time; what follows is virtual. */
const START_MS = Date.now();

const parts: (() => void)[] = [];
afterEach(() => {
  for (const end of parts.splice(0)) end();
});

/** `chance`: 0.5 is exactly half of the life. */
function setting(chance = 0.5, ca: (now: () => number) => CertificateAuthority = inMemory) {
  let nowMs = START_MS;
  const now = (): number => nowMs;
  const authority = ca(now);
  const scheduler = new FakeScheduler();
  const problems: string[] = [];
  const identity = new ServedIdentity({
    ca: authority,
    trust: new MeshTrust(authority, undefined),
    address: '127.0.0.1:0',
    scheduler,
    now,
    random: () => chance,
    onChange: () => {},
    onProblem: (message) => problems.push(message),
  });
  parts.push(() => identity.close());
  const pass = (ms: number): void => {
    nowMs += ms;
    scheduler.advance(ms);
  };
  return { identity, authority, pass, problems };
}

const inMemory = (now: () => number): CertificateAuthority => createCertificateAuthority({ trustDomain: 'cluster.local', now });

/** Certificates that were made, and so shown to connections from then on. */
function counted(setUp: ReturnType<typeof setting>) {
  const shown: unknown[] = [];
  const update = setUp.identity.tls.update.bind(setUp.identity.tls);
  setUp.identity.tls.update = (material) => {
    shown.push(material.certificatePem);
    update(material);
  };
  return shown;
}

describe("the control plane's own certificate", () => {
  it.each([
    [0, 0.49],
    [0.5, 0.5],
    [0.999, 0.51],
  ])('is renewed at half of its life, a little before or after by chance (%d)', (chance, share) => {
    const made = setting(chance);
    const shown = counted(made);
    // The first ends with the root, which is of 365 days.
    made.pass(365 * DAY_MS * share - 3_600_000);
    expect(shown).toEqual([]);
    made.pass(3_600_100);
    expect(shown).toHaveLength(1);
    expect(made.problems).toEqual([]);
  });

  it('is another one for connections from then on; a stream that is open goes on', async () => {
    const made = setting();
    const server = new GrpcServer();
    const registry = new WorkloadRegistry(new FakeScheduler(), { onRegistered: () => {}, onWithdrawn: () => {} });
    let push = pushOf(service('web'));
    const ads = new AdsService({
      registry,
      scheduler: new FakeScheduler(),
      current: () => push,
      onConnected: () => {},
      onDisconnected: () => {},
      onRefused: () => {},
      onDisbelieved: () => {},
      onProblem: () => {},
    });
    ads.addTo(server.services, undefined);
    const address = await server.bind('127.0.0.1:0', made.identity.tls);
    parts.push(
      () => registry.close(),
      () => server.forceShutdown(),
    );
    const client = deltaClient({ address, rootCertificatePem: made.authority.rootCertificatePem });
    parts.push(() => client.close());
    client.send({ typeUrl: CLUSTER_TYPE_URL, node: wireNode('a') });
    const first = await client.next();
    client.send({ typeUrl: CLUSTER_TYPE_URL, responseNonce: first.nonce });
    const before = await serialAt(address);
    expect(await serialAt(address)).toBe(before);
    made.pass(183 * DAY_MS);
    expect(await serialAt(address)).not.toBe(before);
    push = pushOf(`${service('web')}---\n${service('late')}`);
    ads.update(push);
    expect((await client.next()).resources.map(({ name }) => name)).toContain('outbound|80||late.default.svc.cluster.local');
  });

  it('that cannot be renewed is told of once, and tried again a minute later', () => {
    const made = setting();
    const shown = counted(made);
    const issue = made.authority.serverCertificate.bind(made.authority);
    made.authority.serverCertificate = () => {
      throw new Error('no key');
    };
    made.pass(183 * DAY_MS);
    made.pass(60_000);
    made.pass(60_000);
    expect(made.problems).toEqual(["the control plane's own certificate cannot be renewed: no key"]);
    made.authority.serverCertificate = issue;
    made.pass(30_000);
    expect(shown).toEqual([]);
    made.pass(30_000);
    expect(shown).toHaveLength(1);
  });

  it('warns 30, 7 and 1 days before its CA runs out, and when it has', () => {
    const { pass, problems } = setting();
    pass(334 * DAY_MS);
    expect(problems).toEqual([]);
    for (const days of [1, 10, 10, 3, 6]) pass(days * DAY_MS + 1000);
    expect(problems.map((text) => /the root certificate of the CA (.*?) on .*Z(.*?):/.exec(text)?.slice(1))).toEqual([
      ['runs out', ', in 29 days'],
      ['runs out', ', in 6 days'],
      ['runs out', ', in less than a day'],
    ]);
    pass(DAY_MS);
    expect(problems.slice(3).join('\n')).toContain('the root certificate of the CA has run out on');
  });
});

/** What a connection made now is shown; in virtual time, so that nobody here can judge its dates. */
async function serialAt(address: string): Promise<string> {
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}
