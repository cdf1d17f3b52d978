import { X509Certificate } from 'node:crypto';
import grpc from '@grpc/grpc-js';
import { createCsr, createKeyPair } from '@ripstop/pki';
import { IstioCertificateRequest, IstioCertificateResponse } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { Attestation } from './attest/attestation.ts';
import { addCaService, type CaServiceOptions, type Issuance } from './ca-service.ts';
import { type CertificateSigner, createCertificateAuthority } from './certificate-authority.ts';
import { MeshTrust } from './mesh-trust.ts';
import { createTokenIssuer } from './token-issuer.ts';

const now = (): number => Date.UTC(2026, 5, 1);
const ca = createCertificateAuthority({ trustDomain: 'cluster.local', now });
/** Another CA, in whose place ours stands. */
const theirs = createCertificateAuthority({ trustDomain: 'theirs', now });
const signerThat = (issue: CertificateSigner['issue']): CertificateSigner => ({ rootCertificatePem: theirs.rootCertificatePem, issue });
const tokens = createTokenIssuer({ now });
const WEB = { namespace: 'default', serviceAccount: 'web', ttlSeconds: 60 };
const csr = createCsr(createKeyPair(), { uris: ['spiffe://cluster.local/ns/kube-system/sa/admin'] });

interface Answer {
  readonly error: Partial<grpc.ServiceError> | null;
  readonly certChain: readonly string[] | undefined;
}

class Service {
  readonly issued: Issuance[] = [];
  readonly refused: { from: string; reason: string; cause: unknown }[] = [];
  private readonly create: (
    call: unknown,
    respond: (error: Partial<grpc.ServiceError> | null, answer?: IstioCertificateResponse) => void,
  ) => void;
  readonly methods: grpc.ServiceDefinition;

  constructor(more: Partial<CaServiceOptions> = {}) {
    let methods: grpc.ServiceDefinition = {};
    let implementation: grpc.UntypedServiceImplementation = {};
    const server = {
      addService: (definition: grpc.ServiceDefinition, handlers: grpc.UntypedServiceImplementation) => {
        methods = definition;
        implementation = handlers;
      },
    };
    addCaService(server as grpc.Server, {
      ca,
      tokens,
      attestation: new Attestation({ trustDomain: 'cluster.local', tokens, trusts: () => true }),
      trust: new MeshTrust(ca, more.signer),
      bundle: () => 'THE BUNDLE',
      onIssued: (entry) => void this.issued.push(entry),
      onRefused: (entry) => void this.refused.push(entry),
      ...more,
    });
    this.methods = methods;
    this.create = implementation.CreateCertificate as unknown as typeof this.create;
  }

  ask(token: string, request: Partial<IstioCertificateRequest> = {}): Promise<Answer> {
    const metadata = new grpc.Metadata();
    if (token !== '') metadata.set('authorization', `Bearer ${token}`);
    const call = {
      metadata,
      getAuthContext: () => ({}),
      getPeer: () => '10.0.0.9:1',
      request: IstioCertificateRequest.fromPartial({ csr, validityDuration: 3600, ...request }),
    };
    return new Promise((resolve) => {
      this.create(call, (error, answer) => resolve({ error, certChain: answer?.certChain }));
    });
  }
}

describe('the certificate service', () => {
  it("issues the caller's identity for the time that was asked, whatever names the CSR has, and notes it", async () => {
    const service = new Service();
    const { error, certChain } = await service.ask(tokens.issue(WEB));
    expect(error).toBeNull();
    const leaf = new X509Certificate(certChain![0]!);
    expect(leaf.subjectAltName).toBe('URI:spiffe://cluster.local/ns/default/sa/web');
    expect(new X509Certificate(ca.rootCertificatePem).checkIssued(leaf)).toBe(false);
    expect(certChain!.slice(1)).toEqual(['THE BUNDLE']);
    expect(service.issued).toEqual([
      {
        spiffeId: 'spiffe://cluster.local/ns/default/sa/web',
        serialNumber: leaf.serialNumber,
        notAfterMs: now() + 3_600_000,
        by: 'join token',
        from: '10.0.0.9:1',
      },
    ]);
    expect(service.refused).toEqual([]);
  });

  it('takes a token for one certificate once', async () => {
    const service = new Service();
    const token = tokens.issue({ ...WEB, singleUse: true });
    expect((await service.ask(token)).error).toBeNull();
    const second = await service.ask(token);
    expect(second).toMatchObject({ error: { code: grpc.status.UNAUTHENTICATED, details: expect.stringContaining('used before') } });
    expect(service.refused).toMatchObject([{ from: '10.0.0.9:1', reason: expect.stringContaining('used before') }]);
    expect(service.issued).toHaveLength(1);
  });

  it.each<[what: string, token: () => string, request: Partial<IstioCertificateRequest>, code: grpc.status, details: string]>([
    ['nobody', () => '', {}, grpc.status.UNAUTHENTICATED, 'no join token'],
    ['a stranger', () => createTokenIssuer({ now }).issue(WEB), {}, grpc.status.UNAUTHENTICATED, 'not made by this control plane'],
    ['a CSR that is none', () => tokens.issue(WEB), { csr: 'x' }, grpc.status.INVALID_ARGUMENT, 'the CSR is no PEM'],
  ])('gives nothing to %s, and says why to the caller and to the operator', async (_what, token, request, code, details) => {
    const service = new Service();
    const { error, certChain } = await service.ask(token(), request);
    expect(certChain).toBeUndefined();
    expect(error).toMatchObject({ code, details: expect.stringContaining(details) });
    expect(service.refused).toMatchObject([{ from: '10.0.0.9:1', reason: error!.details, cause: expect.any(Error) }]);
    expect(service.issued).toEqual([]);
  });

  it('has somebody else sign where that is asked for; what fails there may be tried again', async () => {
    const service = new Service({ signer: theirs });
    const [leaf, bundle] = (await service.ask(tokens.issue(WEB))).certChain!;
    expect(new X509Certificate(leaf!).verify(new X509Certificate(theirs.rootCertificatePem).publicKey)).toBe(true);
    expect(bundle).toBe('THE BUNDLE');
    expect(service.issued).toMatchObject([{ serialNumber: new X509Certificate(leaf!).serialNumber, notAfterMs: now() + 3_600_000 }]);
    const broken = new Service({ signer: signerThat(() => Promise.reject('down')) });
    expect((await broken.ask(tokens.issue(WEB))).error).toMatchObject({ code: grpc.status.UNAVAILABLE, details: 'down' });
    const own = new Service({
      ca: Object.assign(createCertificateAuthority({ trustDomain: 'cluster.local', now }), {
        issue: () => {
          throw new Error('no');
        },
      }),
    });
    expect((await own.ask(tokens.issue(WEB))).error).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: 'no' });
  });

  it('has nobody else sign for a token that is bound to labels, which would be lost; alone it does', async () => {
    let asked = 0;
    const signer = signerThat(async () => ({ chain: [String(asked++)], serialNumber: '1', notAfterMs: 2 }));
    const bound = { ...WEB, labels: { app: 'web' } };
    const { error } = await new Service({ signer }).ask(tokens.issue(bound));
    expect([error?.code, error?.details, asked]).toEqual([grpc.status.FAILED_PRECONDITION, expect.stringContaining('bound to labels'), 0]);
    expect((await new Service().ask(tokens.issue(bound))).certChain).toHaveLength(2);
  });

  it('shows no CSR to another signer whose key the caller has not proved', async () => {
    let asked = 0;
    const signer = signerThat(async () => ({ chain: [String(asked++)], serialNumber: '1', notAfterMs: 2 }));
    const { error } = await new Service({ signer }).ask(tokens.issue(WEB), { csr: 'x' });
    expect([error?.code, asked]).toEqual([grpc.status.INVALID_ARGUMENT, 0]);
  });

  it('works without anybody who listens', async () => {
    const service = new Service({ onIssued: undefined, onRefused: undefined });
    expect((await service.ask(tokens.issue(WEB))).error).toBeNull();
    expect((await service.ask('')).error).toMatchObject({ code: grpc.status.UNAUTHENTICATED });
  });

  it("is Istio's: path and messages are what its agents send", () => {
    const { CreateCertificate: method } = new Service().methods;
    expect(method).toMatchObject({
      path: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
      requestStream: false,
      responseStream: false,
    });
    const request = IstioCertificateRequest.fromPartial({ csr: 'c', validityDuration: 5 });
    expect(method!.requestDeserialize(method!.requestSerialize(request))).toEqual(request);
    expect(method!.requestSerialize(request)).toEqual(Buffer.from(IstioCertificateRequest.encode(request).finish()));
    const response = IstioCertificateResponse.fromPartial({ certChain: ['a', 'b'] });
    expect(method!.responseDeserialize(method!.responseSerialize(response))).toEqual(response);
  });
});
