import type { Timer } from '../ports.ts';
import type { ClusterSpec, EndpointSpec } from './cluster-spec.ts';
import type { ClusterState } from './cluster-state.ts';
import type { ClusterStatesEnv } from './cluster-states.ts';

/** Resolves a DNS cluster's names again and again. A failure keeps the last addresses; an empty answer means no hosts. */
export class DnsCluster {
  readonly spec: ClusterSpec;
  private readonly state: ClusterState;
  private readonly env: ClusterStatesEnv;
  readonly known: Map<string, readonly string[]>;
  private timer: Timer | undefined;
  private closed = false;
  /** Rounds in a row in which a name did not resolve. */
  private failures = 0;

  constructor(spec: ClusterSpec, state: ClusterState, env: ClusterStatesEnv, known?: ReadonlyMap<string, readonly string[]>) {
    this.spec = spec;
    this.state = state;
    this.env = env;
    this.known = new Map(known);
    void this.round();
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
  }

  private async round(): Promise<void> {
    const { resolveDns, log } = this.env;
    if (resolveDns === undefined) {
      log?.(`${this.spec.name} needs DNS, and no resolver was given: it has no hosts`);
      return;
    }
    const names = new Set(this.spec.localities.flatMap(({ endpoints }) => endpoints.map(({ address }) => address)));
    let failed = false;
    for (const name of names) {
      try {
        this.known.set(name, isAddress(name) ? [name] : await resolveDns(name, this.spec.dnsFamily ?? 'v4'));
      } catch (error) {
        failed = true;
        log?.(`${this.spec.name}: ${name} does not resolve (${error instanceof Error ? error.message : error}); the last addresses stay`);
      }
    }
    if (this.closed) return;
    this.state.setHosts(
      this.spec.localities.map((locality) => ({ ...locality, endpoints: locality.endpoints.flatMap((endpoint) => this.expand(endpoint)) })),
    );
    this.failures = failed ? this.failures + 1 : 0;
    this.timer = this.env.clock.setTimer(() => void this.round(), this.delayMs());
  }

  private delayMs(): number {
    const { dnsFailureRefresh: failure, dnsRefreshMs } = this.spec;
    if (this.failures === 0 || failure === undefined) return dnsRefreshMs;
    return Math.ceil(this.env.random() * Math.min(failure.maxMs, failure.baseMs * 2 ** (this.failures - 1)));
  }

  private expand(endpoint: EndpointSpec): EndpointSpec[] {
    const addresses = this.known.get(endpoint.address) ?? [];
    const hostname = endpoint.hostname === '' ? endpoint.address : endpoint.hostname;
    if (this.spec.kind !== 'logical_dns') return addresses.map((address) => ({ ...endpoint, address, hostname }));
    // One host, whichever address it is reached by: it is dialled at the first one, at the others in turn.
    const [address, ...otherAddresses] = addresses;
    return address === undefined ? [] : [{ ...endpoint, address, otherAddresses, hostname }];
  }
}

function isAddress(name: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(name) || name.includes(':');
}
