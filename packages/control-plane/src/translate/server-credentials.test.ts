import { describe, expect, it } from 'vitest';
import { callersCredential, shownCredentials } from './server-credentials.ts';

describe('SDS names of a server', () => {
  it.each([
    [{ credentialName: 'a' }, ['kubernetes://a'], 'kubernetes://a-cacert'],
    [{ credentialNames: ['a', 'b'] }, ['kubernetes://a', 'kubernetes://b'], 'kubernetes://a-cacert'],
    [{ credentialName: 'a', credentialNames: ['b'] }, ['kubernetes://a'], 'kubernetes://a-cacert'],
    [{ credentialName: 'a', caCertCredentialName: 'roots' }, ['kubernetes://a'], 'kubernetes://roots'],
    [{ credentialName: 'a', caCertCredentialName: 'configmap://n/roots' }, ['kubernetes://a'], 'configmap://n/roots'],
    // One name for both: roots go by the other one.
    [{ credentialName: 'a', caCertCredentialName: 'a' }, ['kubernetes://a'], 'kubernetes://a-cacert'],
    [
      { credentialNames: ['a', 'b'], caCertCredentialName: 'kubernetes://b' },
      ['kubernetes://a', 'kubernetes://b'],
      'kubernetes://b-cacert',
    ],
    [{ serverCertificate: '/c', privateKey: '/k', caCertificates: '/r' }, [], undefined],
  ])('%j', (tls, shown, callers) => {
    expect(shownCredentials(tls)).toEqual(shown);
    expect(callersCredential(tls)).toBe(callers);
  });
});
