import { describe, expect, it } from 'vitest';
import { type ConnectionFacts, chooseFilterChain } from './filter-chain-match.ts';
import type { FilterChain, FilterChainMatch } from './snapshot.ts';

const ANY: FilterChainMatch = { destinationPort: 0, serverNames: [], transportProtocol: '', applicationProtocols: [] };

/** By name: what each chain matches. */
function choose(chains: Readonly<Record<string, Partial<FilterChainMatch>>>, facts: Partial<ConnectionFacts>): string | undefined {
  const all = Object.entries(chains).map(([name, match]) => ({ name, match: { ...ANY, ...match } }) as FilterChain);
  return chooseFilterChain(all, { port: 80, tls: true, sni: '', alpn: [], ...facts })?.name;
}

describe('the filter chain of a connection', () => {
  it('is that of its port, else one for any port, else none', () => {
    const chains = { any: {}, eighty: { destinationPort: 80 } };
    expect([choose(chains, {}), choose(chains, { port: 81 })]).toEqual(['eighty', 'any']);
    expect(choose({ eighty: { destinationPort: 80 } }, { port: 81 })).toBeUndefined();
    expect(choose({}, {})).toBeUndefined();
  });

  const HOSTS = {
    any: {},
    wide: { serverNames: ['*.test'] },
    near: { serverNames: ['*.b.test'] },
    exact: { serverNames: ['x.test', 'a.b.test'] },
  };
  it.each([
    ['a.b.test', 'exact'],
    ['x.test', 'exact'],
    ['c.b.test', 'near'],
    ['d.c.b.test', 'near'],
    ['b.test', 'wide'],
    ['y.x.test', 'wide'],
    ['test', 'any'],
    ['b.test.other', 'any'],
    ['ab.testing', 'any'],
    ['', 'any'],
  ])('for the server name %j is the one that names it most closely: %s', (sni, wanted) => {
    expect(choose(HOSTS, { sni })).toBe(wanted);
  });

  it('for a server name that no chain has is none', () => {
    expect(choose({ wide: { serverNames: ['*.test'] } }, { sni: 'test' })).toBeUndefined();
    expect(choose({ wide: { serverNames: ['*.test'] } }, { sni: '' })).toBeUndefined();
    expect(choose({ odd: { serverNames: [''] } }, { sni: '' })).toBeUndefined();
  });

  it('is one for its transport, else for any', () => {
    const chains = { any: {}, tls: { transportProtocol: 'tls' }, raw: { transportProtocol: 'raw_buffer' } } as const;
    expect([choose(chains, { tls: true }), choose(chains, { tls: false })]).toEqual(['tls', 'raw']);
    expect(choose({ any: {}, tls: chains.tls }, { tls: false })).toBe('any');
    expect(choose({ tls: chains.tls }, { tls: false })).toBeUndefined();
  });

  it('is one for a protocol that the client offers, else for any', () => {
    const chains = { any: {}, mesh: { applicationProtocols: ['istio', 'istio-h2'] }, web: { applicationProtocols: ['h2'] } };
    expect([choose(chains, { alpn: ['istio-h2', 'h2'] }), choose(chains, { alpn: ['x', 'h2'] }), choose(chains, { alpn: ['x'] })]).toEqual([
      'mesh',
      'web',
      'any',
    ]);
    expect(choose({ mesh: chains.mesh }, { alpn: [] })).toBeUndefined();
  });

  it('is looked for in the order port, name, transport, protocol, and what an earlier one chose is not taken back', () => {
    const chains = { port: { destinationPort: 80, serverNames: ['a'] }, name: { serverNames: ['b'] } };
    expect(choose(chains, { sni: 'b' })).toBeUndefined();
    const named = { name: { serverNames: ['a'], applicationProtocols: ['h2'] }, any: {} };
    expect(choose(named, { sni: 'a', alpn: ['x'] })).toBeUndefined();
  });

  it('is the first of several that match alike', () => {
    expect(choose({ one: { serverNames: ['a'] }, two: { serverNames: ['a'] } }, { sni: 'a' })).toBe('one');
  });
});
