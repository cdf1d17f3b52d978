import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttp, type Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCertificateAuthority } from '../certificate-authority.ts';
import { KubernetesAttestor } from './kubernetes-attestor.ts';
import { OidcAttestor } from './oidc-attestor.ts';

type SigningKey = Parameters<SignJWT['sign']>[0];

describe('tokens of Kubernetes', () => {
  const ca = createCertificateAuthority({ trustDomain: 'cluster.local', now: Date.now });
  const { certificatePem, privateKeyPem } = ca.serverCertificate({ ips: ['127.0.0.1'] });
  const asked: { authorization: string | undefined; body: unknown; how: unknown }[] = [];
  let answer: { status: number; body: string };
  const api = createServer({ cert: certificatePem, key: privateKeyPem }, async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { method, url, headers } = request;
    asked.push({
      authorization: headers.authorization,
      body: JSON.parse(text),
      how: [method, url, headers['content-type'], headers.accept],
    });
    response.writeHead(answer.status).end(answer.body);
  });
  let attestor: KubernetesAttestor;

  beforeAll(async () => {
    await once(api.listen(0, '127.0.0.1'), 'listening');
    const { port } = api.address() as AddressInfo;
    attestor = new KubernetesAttestor({ apiServer: `https://127.0.0.1:${port}`, caPem: ca.rootCertificatePem, token: () => 'own' });
  });
  afterAll(() => void api.close());
  const reviewed = (status: object): void => {
    answer = { status: 201, body: JSON.stringify({ kind: 'TokenReview', status }) };
  };
  const user = { username: 'system:serviceaccount:shop:web' };

  it('are reviewed by the API server, for our audience, and name the account', async () => {
    reviewed({ authenticated: true, audiences: ['istio-ca'], user });
    expect(await attestor.attest('theirs')).toEqual({ namespace: 'shop', serviceAccount: 'web' });
    expect(asked.at(-1)).toEqual({
      authorization: 'Bearer own',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: 'theirs', audiences: ['istio-ca'] } },
      how: ['POST', '/apis/authentication.k8s.io/v1/tokenreviews', 'application/json', 'application/json'],
    });
    expect(attestor.name).toBe('Kubernetes token');
  });

  it('may be for one of other audiences, and be answered with 200', async () => {
    const { port } = api.address() as AddressInfo;
    const audiences = ['vault', 'mesh'];
    const other = new KubernetesAttestor({
      apiServer: `https://127.0.0.1:${port}`,
      caPem: ca.rootCertificatePem,
      token: () => 'own',
      audiences,
    });
    answer = { status: 200, body: JSON.stringify({ status: { authenticated: true, audiences: ['x', 'mesh'], user } }) };
    expect(await other.attest('t')).toEqual({ namespace: 'shop', serviceAccount: 'web' });
    expect(asked.at(-1)).toMatchObject({ body: { spec: { audiences } } });
  });

  it.each([
    ['no status', {}, /does not accept the token: no reason given/],
    ['no user', { status: { authenticated: true, audiences: ['istio-ca'] } }, /no service account's/],
  ])('that are answered with %s are refused', async (_what, body, reason) => {
    answer = { status: 201, body: JSON.stringify(body) };
    await expect(attestor.attest('t')).rejects.toThrow(reason);
  });

  it('whose review is longer than a mebibyte are refused; one of that length is read', async () => {
    const review = JSON.stringify({ status: { authenticated: true, audiences: ['istio-ca'], user } });
    answer = { status: 201, body: review.padEnd(1024 * 1024) };
    expect(await attestor.attest('t')).toBeDefined();
    answer = { status: 201, body: review.padEnd(1024 * 1024 + 1) };
    await expect(attestor.attest('t')).rejects.toMatchObject({ cause: { message: 'the answer of the API server is too long' } });
  });

  it.each([
    ['it refuses', { authenticated: false, error: 'token expired' }, /does not accept the token: token expired/],
    ['are of another audience', { authenticated: true, audiences: ['vault'], user }, /another audience/],
    ['were reviewed without audience', { authenticated: true, user }, /another audience/],
    ["are a person's", { authenticated: true, audiences: ['istio-ca'], user: { username: 'admin' } }, /no service account's/],
  ])('that %s are refused', async (_what, status, reason) => {
    reviewed(status);
    await expect(attestor.attest('t')).rejects.toThrow(reason);
  });

  it('cannot be reviewed when the account may not, or the answer is none; the caller learns no more than that', async () => {
    answer = { status: 403, body: 'forbidden' };
    const failed = expect(attestor.attest('t')).rejects;
    await failed.toThrow(/^the token cannot be reviewed now: try again$/);
    await failed.toMatchObject({ cause: { message: expect.stringContaining('answers 403') } });
    for (const body of ['<html>', 'null', '"text"']) {
      answer = { status: 201, body };
      await expect(attestor.attest('t')).rejects.toThrow(/cannot be reviewed now/);
    }
    const without = new KubernetesAttestor({
      apiServer: 'https://127.0.0.1:1',
      caPem: ca.rootCertificatePem,
      token: () => {
        throw new Error('/etc/our-token cannot be read');
      },
    });
    await expect(without.attest('t')).rejects.toThrow(/^the token cannot be reviewed now: try again$/);
    const stranger = new KubernetesAttestor({
      apiServer: `https://127.0.0.1:${(api.address() as AddressInfo).port}`,
      caPem: createCertificateAuthority({ trustDomain: 'x', now: Date.now }).rootCertificatePem,
      token: () => 'own',
    });
    await expect(stranger.attest('t')).rejects.toThrow(/cannot be reviewed now/);
  });
});

describe('tokens of an OpenID Connect issuer', () => {
  let server: Server;
  let issuer: string;
  let status = 200;
  let slashed = false;
  /** Instead of the issuer's own. */
  let configuration: object | undefined;
  const paths: (string | undefined)[] = [];
  const keys = generateKeyPair('ES256');
  /** By `kid`. */
  const otherKeys: Readonly<Record<string, { readonly publicKey: KeyObject; readonly privateKey: KeyObject }>> = {
    rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
    ed: generateKeyPairSync('ed25519'),
  };
  beforeAll(async () => {
    const jwks = [{ ...(await exportJWK((await keys).publicKey)), kid: 'k', alg: 'ES256' }];
    for (const [kid, { publicKey }] of Object.entries(otherKeys)) jwks.push({ ...(await exportJWK(publicKey)), kid } as (typeof jwks)[0]);
    server = createHttp((request, response) => {
      paths.push(request.url);
      const own = { issuer: slashed ? `${issuer}/` : issuer, jwks_uri: `${issuer}/keys` };
      response.writeHead(status).end(JSON.stringify(request.url === '/keys' ? { keys: jwks } : (configuration ?? own)));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());
  let attestor: OidcAttestor;
  beforeEach(() => {
    attestor = new OidcAttestor({ issuer });
    status = 200;
    slashed = false;
    configuration = undefined;
  });

  async function token(
    changes: { sub?: string; aud?: string; iss?: string; exp?: number | null; alg?: string; kid?: string; key?: SigningKey } = {},
  ): Promise<string> {
    const { sub = 'system:serviceaccount:shop:web', aud = 'istio-ca', iss = issuer, exp = 3600, alg = 'ES256', kid = 'k' } = changes;
    return new SignJWT(exp === null ? {} : { exp: Math.floor(Date.now() / 1000) + exp })
      .setProtectedHeader({ alg, kid })
      .setSubject(sub)
      .setAudience(aud)
      .setIssuer(iss)
      .sign(changes.key ?? (await keys).privateKey);
  }

  it('name the account, with the keys where the issuer says they are', async () => {
    expect(await attestor.attest(await token())).toEqual({ namespace: 'shop', serviceAccount: 'web' });
    expect(await attestor.attest(await token({ exp: -30 }))).toBeDefined(); // clocks differ by up to a minute
  });

  it('are verified with the keys where they are said to be, else where the issuer says', async () => {
    expect(new OidcAttestor({ issuer }).name).toBe('OIDC token');
    const told = new OidcAttestor({ issuer, jwksUri: `${issuer}/keys`, audiences: ['a', 'b'] });
    expect(await told.attest(await token({ aud: 'b' }))).toBeDefined();
    const wrong = new OidcAttestor({ issuer, jwksUri: `${issuer}/none` });
    await expect(wrong.attest(await token())).rejects.toThrow();
    slashed = true;
    const withSlash = new OidcAttestor({ issuer: `${issuer}/` });
    expect(await withSlash.attest(await token({ iss: `${issuer}/` }))).toBeDefined();
    expect(paths.every((path) => path === '/keys' || path === '/none' || path === '/.well-known/openid-configuration')).toBe(true);
  });

  it('of another issuer, and what is no JWT, are left to others', async () => {
    expect(await attestor.attest(await token({ iss: 'https://other' }))).toBeUndefined();
    expect(await attestor.attest('opaque')).toBeUndefined();
  });

  it.each([
    ['that have expired', { exp: -120 }, /exp/],
    ['for another audience', { aud: 'vault' }, /aud/],
    ['whose subject is no service account', { sub: 'jane' }, /no service account/],
    ['signed by another key', { key: generateKeyPair('ES256') }, /signature verification failed/],
  ])('%s are refused', async (_what, changes, reason) => {
    const key = 'key' in changes ? { key: (await changes.key).privateKey } : {};
    await expect(attestor.attest(await token({ ...(changes as { exp?: number; aud?: string; sub?: string }), ...key }))).rejects.toThrow(
      reason,
    );
  });

  it('without a signature, or signed with the public key as a secret, are refused', async () => {
    const [, payload] = (await token()).split('.');
    const head = (alg: string): string => Buffer.from(JSON.stringify({ alg, kid: 'k' })).toString('base64url');
    await expect(attestor.attest(`${head('none')}.${payload}.`)).rejects.toThrow();
    await expect(attestor.attest(`${head('HS256')}.${payload}.AAAA`)).rejects.toThrow();
  });

  it.each([
    ['RS256', 'rsa'],
    ['RS384', 'rsa'],
    ['RS512', 'rsa'],
    ['PS256', 'rsa'],
    ['PS384', 'rsa'],
    ['PS512', 'rsa'],
    ['ES384', 'p384'],
    ['ES512', 'p521'],
    ['EdDSA', 'ed'],
  ])('may be signed with %s', async (alg, kid) => {
    expect(await attestor.attest(await token({ alg, kid, key: otherKeys[kid]!.privateKey }))).toBeDefined();
  });

  it('without an end are refused', async () => {
    await expect(attestor.attest(await token({ exp: null }))).rejects.toThrow(/missing required "exp" claim/);
  });

  it.each<[what: string, status: number, configuration: () => object, why: RegExp]>([
    ['an error', 500, () => ({ issuer, jwks_uri: `${issuer}/keys` }), /answers 500/],
    ['that of another issuer', 200, () => ({ issuer: 'https://other', jwks_uri: `${issuer}/keys` }), /another issuer: https:\/\/other/],
    ['one without an issuer', 200, () => ({ jwks_uri: `${issuer}/keys` }), /another issuer/],
    ['one without keys', 200, () => ({ issuer }), /names no jwks_uri/],
    ['one whose address of the keys is no text', 200, () => ({ issuer, jwks_uri: [`${issuer}/keys`] }), /names no jwks_uri/],
  ])('are refused where the configuration of the issuer is %s', async (_what, answered, answer, why) => {
    [status, configuration] = [answered, answer()];
    await expect(attestor.attest(await token())).rejects.toMatchObject({
      message: 'the keys of the token issuer cannot be had now: try again',
      cause: { message: expect.stringMatching(why) },
    });
  });

  it('are taken again once the issuer is back', async () => {
    status = 503;
    await expect(attestor.attest(await token())).rejects.toThrow(/cannot be had now: try again/);
    status = 200;
    expect(await attestor.attest(await token())).toBeDefined();
  });
});
