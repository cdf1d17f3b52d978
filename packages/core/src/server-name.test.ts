import { describe, expect, it } from 'vitest';
import { serverNameMismatch } from './server-name.ts';

describe('a certificate of a server', () => {
  it.each<[host: string, names: string]>([
    ['a.example.com', 'DNS:a.example.com'],
    ['A.Example.com', 'DNS:a.example.COM'],
    ['a.example.com', 'DNS:x, DNS:*.example.com'],
    ['a.example.com', 'URI:spiffe://a/b, DNS:a.example.com'],
    ['1.2.3.4', 'IP Address:1.2.3.4'],
  ])('is for %s by %s', (host, names) => {
    expect(serverNameMismatch(host, { subjectaltname: names })).toBeUndefined();
  });

  it.each<[host: string, names: string | undefined]>([
    ['a.b.example.com', 'DNS:*.example.com'],
    ['example.com', 'DNS:*.example.com'],
    ['foo.example.com', 'DNS:f*.example.com'],
    ['foo.example.com', 'DNS:f*o.example.com'],
    ['foo.example.com', 'DNS:*o.example.com'],
    ['foo.example.com', 'DNS:foo.*.com'],
    ['foo.bar.com', 'DNS:*.*.com'],
    ['foo.com', 'DNS:*.com'],
    ['foo.com', 'DNS:*'],
    ['example.com', 'DNS:example.com.'],
    ['a.example.com', 'DNS:"a.example.com, DNS:b"'],
    ['b', 'DNS:"a.example.com, DNS:b"'],
    ['foo.dns:a.com', 'DNS:f*.DNS:a.com'],
    ['a.example.com', 'URI:spiffe://a.example.com'],
    ['1.2.3.4', 'DNS:1.2.3.4'],
    ['a.example.com', undefined],
    ['', 'DNS:a'],
  ])('is not for %s by %s', (host, names) => {
    const certificate = { subjectaltname: names, subject: { CN: host } };
    expect(serverNameMismatch(host, certificate as never)?.message).toMatch(/does not match|IP:|not in the cert|DNS name/);
  });
});
