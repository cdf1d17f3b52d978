import type { FilterChain } from './snapshot.ts';

/** A connection as filter chains see it. */
export interface ConnectionFacts {
  readonly port: number;
  readonly tls: boolean;
  /** Lower-case; '' without SNI. */
  readonly sni: string;
  /** What the client offers; for plaintext the sniffed protocol (`http/1.1`, `h2c`). */
  readonly alpn: readonly string[];
}

/**
 * Envoy's filter chain choice: destination port, SNI, transport protocol, ALPN, one after the other, the most specific first, without
 * backtracking. Undefined = no chain: the connection is reset (NR, filter_chain_not_found).
 */
export function chooseFilterChain(chains: readonly FilterChain[], facts: ConnectionFacts): FilterChain | undefined {
  let left = narrow(
    chains,
    (chain) => chain.match.destinationPort !== 0,
    (chain) => chain.match.destinationPort === facts.port,
  );
  left = byServerName(left, facts.sni);
  const transport = facts.tls ? 'tls' : 'raw_buffer';
  left = narrow(
    left,
    (chain) => chain.match.transportProtocol !== '',
    (chain) => chain.match.transportProtocol === transport,
  );
  left = narrow(
    left,
    (chain) => chain.match.applicationProtocols.length > 0,
    (chain) => chain.match.applicationProtocols.some((protocol) => facts.alpn.includes(protocol)),
  );
  return left[0];
}

/** Chains that name a value and match it; when none does, those that name no value. */
function narrow(
  chains: readonly FilterChain[],
  named: (chain: FilterChain) => boolean,
  matches: (chain: FilterChain) => boolean,
): readonly FilterChain[] {
  const specific = chains.filter((chain) => named(chain) && matches(chain));
  return specific.length > 0 ? specific : chains.filter((chain) => !named(chain));
}

function byServerName(chains: readonly FilterChain[], sni: string): readonly FilterChain[] {
  const candidates = [sni, ...wildcards(sni)];
  for (const name of candidates) {
    const found = chains.filter((chain) => chain.match.serverNames.includes(name));
    if (name !== '' && found.length > 0) return found;
  }
  return chains.filter((chain) => chain.match.serverNames.length === 0);
}

/** `a.b.c` → `*.b.c`, `*.c`. */
function wildcards(sni: string): string[] {
  const labels = sni.split('.');
  return labels.slice(1).map((_label, index) => `*.${labels.slice(index + 1).join('.')}`);
}
