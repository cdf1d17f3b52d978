import { describe, expect, it } from 'vitest';
import {
  collectLabel,
  parseAddress,
  parseLabels,
  parseName,
  parseResourceTtl,
  parseTrustDomain,
  parseTtl,
  parseUrl,
} from './option-values.ts';

describe('option values', () => {
  it.each(['127.0.0.1:15010', 'localhost:0', '[::1]:15012', 'mesh.example.com:65535'])('takes the address %s', (text) => {
    expect(parseAddress(text)).toBe(text);
  });

  it.each(['15010', '127.0.0.1', '::1:15010', '127.0.0.1:65536', ':1', 'a b:1', ''])('refuses the address "%s"', (text) => {
    expect(() => parseAddress(text)).toThrow(/host:port/);
  });

  it.each(['a/b', 'a:b', 'A', '', '-a', 'a-'])('refuses the name "%s", which would change a SPIFFE id', (text) => {
    expect(() => parseName(text)).toThrow(/Kubernetes/);
  });

  it.each(['reviews:9080', '/reviews/1', 'ftp://reviews/1', ''])('refuses the URL "%s"', (text) => {
    expect(() => parseUrl(text)).toThrow(/with its scheme/);
    expect(parseUrl('http://reviews:9080/x')).toBe('http://reviews:9080/x');
  });

  it.each(['a b', 'Cluster.local', '', 'a/b'])('refuses the trust domain "%s"', (text) => {
    expect(() => parseTrustDomain(text)).toThrow(/lower-case/);
    expect(parseTrustDomain('cluster.local')).toBe('cluster.local');
  });

  it.each([
    ['90', 90],
    ['90s', 90],
    ['15m', 900],
    ['12h', 43_200],
    ['30d', 2_592_000],
  ])('reads %s as %i seconds', (text, seconds) => {
    expect(parseTtl(text)).toBe(seconds);
  });

  it.each(['0', '0d', '-1', '1.5h', '1w', 'soon', '999999999d'])('refuses the time "%s"', (text) => {
    expect(() => parseTtl(text)).toThrow(/30d/);
  });

  it('collects labels and refuses what is none', () => {
    expect(collectLabel('version=v1', ['app=reviews'])).toEqual(['app=reviews', 'version=v1']);
    expect(() => collectLabel('version', [])).toThrow(/name=value/);
    expect(() => collectLabel('a=b,c=d', [])).toThrow(/name=value/);
  });
});

it('labels are name=value, with commas between', () => {
  expect(parseLabels('app=web, version=v1,empty=')).toEqual({ app: 'web', version: 'v1', empty: '' });
  for (const text of ['', 'app', 'app=web,', '=web']) expect(() => parseLabels(text)).toThrow('name=value');
});

it('a time to live of resources is ten seconds at least', () => {
  expect(parseResourceTtl('1m')).toBe(60);
  expect(() => parseResourceTtl('9s')).toThrow('at least 10s');
});
