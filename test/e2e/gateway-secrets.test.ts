import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { SnapshotCompiler, standardFilters } from '@ripstop/compile';
import { ClusterStates, type ConfigUpdate, type DownstreamTls, type Rejection } from '@ripstop/core';
import { createKeyPair, createSelfSignedRoot, issueCertificate, privateKeyPem } from '@ripstop/pki';
import { CLUSTER_TYPE_URL, DownstreamTlsContext, LISTENER_TYPE_URL, Listener, packAny, SECRET_TYPE_URL, Secret } from '@ripstop/xds-api';
import { createCachedSource } from '@ripstop/xds-client';
import { beforeEach, describe, expect, it } from 'vitest';

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const random = (): number => 0.5;
const validity = { notBeforeMs: Date.now() - 1_000, notAfterMs: Date.now() + 3_600_000 };
const root = createSelfSignedRoot({ organization: 'test', ...validity });

function pair(): { readonly cert: string; readonly key: string } {
  const { publicKey, privateKey } = createKeyPair();
  const issuer = { certificatePem: root.certificatePem, privateKey: root.keyPair.privateKey };
  return { cert: issueCertificate(issuer, { publicKey, names: { dns: ['a'] }, ...validity }), key: privateKeyPem(privateKey) };
}

const inline = (text: string) => ({ specifier: { $case: 'inlineBytes', value: new Uint8Array(Buffer.from(text)) } }) as const;

function secret(name: string, { cert, key }: { readonly cert: string; readonly key: string }): { name: string; body: Uint8Array } {
  const type = { $case: 'tlsCertificate', value: { certificateChain: inline(cert), privateKey: inline(key) } } as const;
  return { name, body: Secret.encode(Secret.fromPartial({ name, type })).finish() };
}

/** A listener with a chain per secret; the chain's host is the secret's name. */
function listener(...names: readonly string[]): { name: string; body: Uint8Array } {
  const message = Listener.fromPartial({
    name: '0.0.0.0_443',
    address: { address: { $case: 'socketAddress', value: { address: '0.0.0.0', portSpecifier: { $case: 'portValue', value: 443 } } } },
    filterChains: names.map((name) => ({
      filterChainMatch: { serverNames: [name] },
      transportSocket: {
        name: 'envoy.transport_sockets.tls',
        configType: {
          $case: 'typedConfig',
          value: packAny(
            DownstreamTlsContext,
            DownstreamTlsContext.fromPartial({ commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: `kubernetes://${name}` }] } }),
          ),
        },
      },
    })),
  });
  return { name: message.name, body: Listener.encode(message).finish() };
}

describe('secrets in a snapshot', () => {
  let compiler: SnapshotCompiler;

  beforeEach(() => {
    const clusterStates = new ClusterStates({ clock, random, resolveDns: async () => [] });
    compiler = new SnapshotCompiler({ clock, random, filters: standardFilters(), clusterStates, router: true });
    update(CLUSTER_TYPE_URL, []);
  });

  function update(typeUrl: string, resources: readonly { name: string; body: Uint8Array }[], removed: readonly string[] = []) {
    const versioned = resources.map((resource) => ({ ...resource, version: '1' }));
    return compiler.apply({ typeUrl, version: '1', resources: versioned, removed, full: typeUrl === CLUSTER_TYPE_URL });
  }

  /** TLS of each host now. */
  function hosts(): Record<string, DownstreamTls> {
    const chains = compiler.build()!.gateways.flatMap(({ filterChains }) => filterChains);
    return Object.fromEntries(chains.map(({ match, tls }) => [match.serverNames[0]!, tls!]));
  }

  function missing(): Record<string, string> {
    return Object.fromEntries(Object.entries(hosts()).map(([host, tls]) => [host, tls.secrets!.missing.replace(/:.*/s, '')]));
  }

  const NOT_COME = 'the certificate kubernetes';

  it('open the chains that have theirs, each by itself', () => {
    update(LISTENER_TYPE_URL, [listener('a', 'b')]);
    expect(compiler.wanted().secrets).toEqual(['kubernetes://a', 'kubernetes://b']);
    expect(missing()).toEqual({ a: NOT_COME, b: NOT_COME });
    expect(compiler.awaitedSecrets()).toEqual(['kubernetes://a', 'kubernetes://b']);
    const { cert, key } = pair();
    update(SECRET_TYPE_URL, [secret('kubernetes://a', { cert, key })], ['kubernetes://b']);
    expect(compiler.awaitedSecrets()).toEqual([]);
    expect(missing()).toEqual({ a: '', b: 'the control plane gives no certificate kubernetes' });
    expect(hosts().a!.secrets!.keyPairs.map(({ certificateChainPem, privateKeyPem }) => [certificateChainPem, privateKeyPem])).toEqual([
      [cert, key],
    ]);
  });

  it('that change leave the TLS of other chains as it is', () => {
    update(LISTENER_TYPE_URL, [listener('a', 'b')]);
    update(SECRET_TYPE_URL, [secret('kubernetes://a', pair()), secret('kubernetes://b', pair())]);
    const before = hosts();
    update(SECRET_TYPE_URL, [secret('kubernetes://a', pair())]);
    const after = hosts();
    expect(after.b).toBe(before.b);
    expect(after.a).not.toBe(before.a);
  });

  it('that are new keep a listener as it was until they are here: no host closes in between', () => {
    update(LISTENER_TYPE_URL, [listener('a')]);
    update(SECRET_TYPE_URL, [secret('kubernetes://a', pair())]);
    expect(missing()).toEqual({ a: '' });
    update(LISTENER_TYPE_URL, [listener('c')]);
    expect(missing()).toEqual({ a: '' });
    update(SECRET_TYPE_URL, [secret('kubernetes://c', pair())]);
    expect(missing()).toEqual({ c: '' });
  });

  it('that are taken away close their chain', () => {
    update(LISTENER_TYPE_URL, [listener('a')]);
    update(SECRET_TYPE_URL, [secret('kubernetes://a', pair())]);
    expect(missing()).toEqual({ a: '' });
    update(SECRET_TYPE_URL, [], ['kubernetes://a']);
    expect(missing()).toEqual({ a: 'the control plane gives no certificate kubernetes' });
  });

  it.each([
    ['the key of another certificate', { cert: pair().cert, key: pair().key }, 'its private key belongs to another certificate'],
    ['no key', { cert: pair().cert, key: 'hidden-value' }, 'its private key is not PEM'],
    ['no certificate', { cert: 'hidden-value', key: pair().key }, 'it holds no certificate in PEM'],
  ])('with %s are refused without a word of them; the last good one stays', (_what, broken, reason) => {
    update(LISTENER_TYPE_URL, [listener('a')]);
    const good = pair();
    update(SECRET_TYPE_URL, [secret('kubernetes://a', good)]);
    expect(update(SECRET_TYPE_URL, [secret('kubernetes://a', broken)])).toEqual([
      { typeUrl: SECRET_TYPE_URL, name: 'kubernetes://a', reason },
    ]);
    expect(hosts().a!.secrets!.keyPairs[0]!.certificateChainPem).toBe(good.cert);
  });

  it('do not show their keys to who prints the snapshot', () => {
    update(LISTENER_TYPE_URL, [listener('a')]);
    const good = pair();
    update(SECRET_TYPE_URL, [secret('kubernetes://a', good)]);
    const snapshot = compiler.build();
    const line = good.key.split('\n')[1]!;
    for (const text of [inspect(snapshot, { depth: 20, showHidden: true }), JSON.stringify(snapshot?.gateways)])
      expect(text).not.toContain(line);
  });
});

describe('the configuration cache', () => {
  it('passes secrets on and writes none of them', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-cache-'));
    const sink: { send?: (update: ConfigUpdate) => readonly Rejection[] } = {};
    const source = {
      subscribe: (apply: (update: ConfigUpdate) => readonly Rejection[]) => {
        sink.send = apply;
        return { want: () => {}, close: () => {} };
      },
    };
    const seen: string[] = [];
    const cached = createCachedSource(source, { dir, clock });
    const subscription = cached.subscribe((update) => {
      seen.push(...update.resources.map(({ name }) => name));
      return [];
    });
    const good = pair();
    const send = (typeUrl: string, { name, body }: { name: string; body: Uint8Array }) =>
      sink.send!({ typeUrl, version: '1', resources: [{ name, version: '1', body }], removed: [], full: false });
    send(LISTENER_TYPE_URL, listener('a'));
    send(SECRET_TYPE_URL, secret('kubernetes://a', good));
    subscription.close();
    expect(seen).toEqual(['0.0.0.0_443', 'kubernetes://a']);
    const text = readFileSync(join(dir, 'last-known-good.json'), 'utf8');
    expect(text).toContain('0.0.0.0_443');
    expect(text).not.toContain('kubernetes://a"');
    expect(text).not.toContain(SECRET_TYPE_URL);
    rmSync(dir, { recursive: true });
  });
});
