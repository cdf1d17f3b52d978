import { X509Certificate } from 'node:crypto';
import grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { createCertificateAuthority } from '../certificate-authority.ts';
import { createTokenIssuer } from '../token-issuer.ts';
import { Attestation, type AttestedCall, type TokenAttestor } from './attestation.ts';
import { parseServiceAccount } from './service-account.ts';

const WEB = { namespace: 'default', serviceAccount: 'web' };
const tokens = createTokenIssuer({});
const joinToken = (account = WEB, singleUse = false): string => tokens.issue({ ...account, ttlSeconds: 60, singleUse });
const names = (uri: string): string => `URI:${uri}`;
const WEB_NAMES = names('spiffe://cluster.local/ns/default/sa/web');

const ca = createCertificateAuthority({ trustDomain: 'cluster.local', now: Date.now });
const DER = new X509Certificate(ca.serverCertificate({ dns: ['x'] }).certificatePem).raw;

interface Shown {
  readonly authorization?: string | Buffer;
  /** The subject alternative names of the connection's certificate; null = a certificate without. */
  readonly certificate?: string | null;
}

function call({ authorization, certificate }: Shown): AttestedCall {
  const metadata = new grpc.Metadata();
  if (authorization !== undefined) metadata.set(typeof authorization === 'string' ? 'authorization' : 'authorization-bin', authorization);
  if (certificate === undefined) return { metadata, getAuthContext: () => ({}) };
  const sslPeerCertificate = { raw: DER, ...(certificate === null ? {} : { subjectaltname: certificate }) };
  return { metadata, getAuthContext: () => ({ sslPeerCertificate }) as ReturnType<AttestedCall['getAuthContext']> };
}

const kubernetes: TokenAttestor = {
  name: 'Kubernetes token',
  attest: async (token) => (token === 'of-kubernetes' ? { namespace: 'shop', serviceAccount: 'cart' } : undefined),
};
const attestation = (trusted = true, attestors?: readonly TokenAttestor[]): Attestation =>
  new Attestation({ trustDomain: 'cluster.local', tokens, trusts: () => trusted, ...(attestors === undefined ? {} : { attestors }) });
const bearer = (token: string): string => `Bearer ${token}`;

describe('a caller of the control plane', () => {
  it.each<[what: string, shown: () => Shown, wanted: object]>([
    ['a join token', () => ({ authorization: bearer(joinToken()) }), { account: WEB, by: 'join token', singleUse: undefined }],
    ['"bearer" in any case, with blanks', () => ({ authorization: `bEARER  ${joinToken()} ` }), { account: WEB, by: 'join token' }],
    ['a certificate', () => ({ certificate: WEB_NAMES }), { account: WEB, by: 'client certificate', singleUse: undefined }],
    [
      'a token of another issuer',
      () => ({ authorization: bearer('of-kubernetes.x.y') }),
      { account: { namespace: 'shop', serviceAccount: 'cart' }, by: 'Kubernetes token', singleUse: undefined },
    ],
    [
      'both for one account: the certificate, which spends nothing',
      () => ({ authorization: bearer(joinToken(WEB, true)), certificate: WEB_NAMES }),
      { account: WEB, by: 'client certificate', singleUse: undefined },
    ],
    [
      'a certificate beside a token that is none',
      () => ({ authorization: bearer('x.y.z'), certificate: WEB_NAMES }),
      { account: WEB, by: 'client certificate', singleUse: undefined },
    ],
  ])('is known by %s', async (_what, shown, wanted) => {
    const other: TokenAttestor = { ...kubernetes, attest: async (token) => kubernetes.attest(token.split('.')[0]!) };
    const nobody: TokenAttestor = { name: 'nobody', attest: async () => undefined };
    const issuer = { ...tokens, isOwn: (token: string) => !token.startsWith('of-kubernetes') && tokens.isOwn(token) };
    const judged = new Attestation({ trustDomain: 'cluster.local', tokens: issuer, attestors: [nobody, other], trusts: () => true });
    expect(await judged.identify(call(shown()))).toMatchObject(wanted);
  });

  it('with a token for one certificate is told what to redeem', async () => {
    const { singleUse } = await attestation().identify(call({ authorization: bearer(joinToken(WEB, true)) }));
    expect(singleUse).toMatch(/^[0-9a-f-]{36} \d+$/);
  });

  it.each<[what: string, shown: Shown, why: RegExp, trusted?: boolean]>([
    ['nothing', {}, /no join token: send authorization/],
    ['another scheme', { authorization: 'Basic abc' }, /no join token/],
    ['a scheme that only ends so', { authorization: 'xbearer abc' }, /no join token/],
    ['no blank behind the scheme', { authorization: 'bearerabc' }, /no join token/],
    ['bytes', { authorization: Buffer.from('Bearer x') }, /no join token/],
    ['a token that is none', { authorization: 'Bearer x' }, /the token is no JWT/],
    ['a certificate that is not believed now', { certificate: WEB_NAMES }, /no join token/, false],
    ['a certificate without names', { certificate: null }, /no join token/],
    ['a certificate for a host', { certificate: 'DNS:web.default' }, /no join token/],
    ['a certificate with a second name', { certificate: `${WEB_NAMES}, DNS:x` }, /no join token/],
    ['a certificate with a name before', { certificate: `DNS:x, ${WEB_NAMES}` }, /no join token/],
    ['a certificate of another trust domain', { certificate: names('spiffe://other/ns/default/sa/web') }, /no join token/],
    ['a certificate whose id is of another form', { certificate: names('spiffe://cluster.local/web') }, /no join token/],
    ['a certificate whose id is not SPIFFE', { certificate: names('https://cluster.local/ns/default/sa/web') }, /no join token/],
  ])('with %s is nobody', async (_what, shown, why, trusted = true) => {
    await expect(attestation(trusted).identify(call(shown))).rejects.toThrow(why);
  });

  it.each([
    ['namespace', { namespace: 'other', serviceAccount: 'web' }, 'other/web'],
    ['account', { namespace: 'default', serviceAccount: 'admin' }, 'default/admin'],
  ])('whose token and certificate name another %s is refused', async (_what, account, named) => {
    const two = call({ authorization: bearer(joinToken(account)), certificate: WEB_NAMES });
    await expect(attestation().identify(two)).rejects.toThrow(`the token is for ${named}, the certificate for default/web`);
  });

  it('with a token that nobody made is told so, also where other issuers are configured', async () => {
    const foreign = `a.${Buffer.from('{"iss":"x"}').toString('base64url')}.b`;
    for (const attestors of [undefined, [], [kubernetes]])
      await expect(attestation(true, attestors).identify(call({ authorization: bearer(foreign) }))).rejects.toThrow(
        'the token was not made by this control plane, and no other issuer is configured that made it',
      );
  });

  it('is an account for anything but a certificate, unless its token is good for one certificate', async () => {
    expect(await attestation().account(call({ certificate: WEB_NAMES }))).toEqual(WEB);
    await expect(attestation().account(call({ authorization: bearer(joinToken(WEB, true)) }))).rejects.toThrow('good for one certificate');
  });
});

describe('a service account', () => {
  it.each<[subject: unknown, wanted: unknown]>([
    ['system:serviceaccount:default:web', WEB],
    ['system:serviceaccount:a.b-1:c.d-2', { namespace: 'a.b-1', serviceAccount: 'c.d-2' }],
    ['xsystem:serviceaccount:default:web', undefined],
    ['system:serviceaccount:default:web:x', undefined],
    ['system:serviceaccount:default:web\n', undefined],
    ['system:serviceaccount:default:Web', undefined],
    ['system:serviceaccount::web', undefined],
    ['system:serviceaccount:default:', undefined],
    ['system:node:web', undefined],
    [['system:serviceaccount:default:web'], undefined],
    [undefined, undefined],
  ])('of the subject %j is %j', (subject, wanted) => {
    expect(parseServiceAccount(subject)).toEqual(wanted);
  });
});
