import type { HostSource, VirtualHost } from '@ripstop/core';
import type { VirtualHost as VirtualHostMessage } from '@ripstop/xds-api';
import type { OnDemandHosts } from './on-demand-hosts.ts';

/** The hosts of one route table of one connection manager: those of its configuration, then those that came on demand. Each is compiled once. */
export class GrowingHosts implements HostSource {
  private readonly table: string;
  private readonly fixed: readonly VirtualHost[];
  private readonly onDemand: OnDemandHosts;
  private readonly compile: (message: VirtualHostMessage) => VirtualHost;
  private compiled = new Map<VirtualHostMessage, VirtualHost | undefined>();

  constructor(
    table: string,
    fixed: readonly VirtualHost[],
    onDemand: OnDemandHosts,
    compile: (message: VirtualHostMessage) => VirtualHost,
  ) {
    this.table = table;
    this.fixed = fixed;
    this.onDemand = onDemand;
    this.compile = compile;
  }

  get version(): number {
    return this.onDemand.version(this.table);
  }

  hosts(): readonly VirtualHost[] {
    const before = this.compiled;
    this.compiled = new Map();
    for (const { message, lastUse } of this.onDemand.of(this.table)) {
      const host = before.has(message) ? before.get(message) : this.tryOut(message);
      this.compiled.set(message, host === undefined ? undefined : { ...host, lastUse });
    }
    return [...this.fixed, ...[...this.compiled.values()].filter((host) => host !== undefined)];
  }

  /** It was tried when it came, with one filter of each kind; those of this manager may still not take it. */
  private tryOut(message: VirtualHostMessage): VirtualHost | undefined {
    try {
      return this.compile(message);
    } catch (error) {
      this.onDemand.tell(`${this.table}: ${error instanceof Error ? error.message : String(error)}; it is left out`);
      return undefined;
    }
  }
}
