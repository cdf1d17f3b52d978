import type { GatewayPortServer } from './gateway-servers.ts';

/** One listener of a gateway. */
export interface GatewayPort {
  /** Of the listener: `0.0.0.0_8443`, `10.0.0.1_8443`, `unix:///run/gateway.sock_0`. */
  readonly name: string;
  /** The address to listen at, or `unix://<path>`. */
  readonly bind: string;
  /** 0 on a Unix socket. */
  readonly number: number;
  /** In the order of their filter chains. */
  readonly servers: readonly GatewayPortServer[];
}

export interface MergedGateways {
  /** By number, then as they came. */
  readonly ports: readonly GatewayPort[];
  /** Some server hands mTLS connections of other networks through, so their clusters are wanted. */
  readonly passesByName: boolean;
}

/** Servers of one number, protocol and address (Istio: ServerPort). */
interface Slot {
  readonly bind: string;
  readonly isHttp: boolean;
  readonly servers: GatewayPortServer[];
}

/** One number, at all addresses that servers name. */
interface OpenNumber {
  /** In order of their coming. */
  readonly slots: Map<string, Slot>;
  /** The slot of plaintext that later servers are compared with. */
  plain: Slot | undefined;
  /** TLS hosts that a server has, with the address where it has them. */
  readonly taken: Map<string, string>;
}

/**
 * Which servers share a port (Istio: mergeGateways). The first server of a number says what it carries. One that does not fit to it at
 * the same address, or that names a TLS host which another one has there, is left out. Behind servers of TLS there is room for
 * plaintext: from then on the number carries that.
 */
export class MergingServers {
  private readonly numbers = new Map<number, OpenNumber>();
  private readonly routes = new Set<string>();
  private passesByName = false;

  add(entry: GatewayPortServer): void {
    const open: OpenNumber = this.numbers.get(entry.targetPort) ?? {
      slots: new Map(),
      plain: undefined,
      taken: new Map(),
    };
    if (!this.takesHosts(open, entry)) return;
    this.numbers.set(entry.targetPort, open);
    const slot = this.slotFor(open, entry);
    if (slot === undefined) return;
    slot.servers.push(entry);
    if (entry.routeName !== '') this.routes.add(entry.routeName);
  }

  /** `anywhere`: the address of servers that name none. */
  result(anywhere: string): MergedGateways {
    const ports = [...this.numbers]
      .sort(([a], [b]) => a - b)
      .flatMap(([number, { slots }]) => listeners(number, [...slots.values()], anywhere));
    return { ports, passesByName: this.passesByName };
  }

  /** Of a server that only redirects to TLS too. A host may be had once per address; the last address is remembered (Istio: CheckDuplicates). */
  private takesHosts({ taken }: OpenNumber, { server, hosts, bind }: GatewayPortServer): boolean {
    if (server.tls === undefined) return true;
    if (hosts.some((host) => taken.get(host) === bind)) return false;
    for (const host of hosts) taken.set(host, bind);
    if (server.tls.mode === 'AUTO_PASSTHROUGH') this.passesByName = true;
    return true;
  }

  private slotFor(open: OpenNumber, entry: GatewayPortServer): Slot | undefined {
    if (open.plain !== undefined) return besidePlain(open, open.plain, entry);
    if (entry.kind !== 'tls') {
      open.plain = slotOf(open, entry);
      return open.plain;
    }
    // Two servers with one name would share their routes.
    return entry.routeName !== '' && this.routes.has(entry.routeName) ? undefined : slotOf(open, entry);
  }
}

/** At the same address HTTP joins HTTP, and nothing else; at another one there is room for anything. */
function besidePlain(open: OpenNumber, plain: Slot, entry: GatewayPortServer): Slot | undefined {
  if (plain.bind === entry.bind) return entry.kind === 'http' && plain.isHttp ? plain : undefined;
  const known = open.slots.has(keyOf(entry));
  const slot = slotOf(open, entry);
  if (!known && entry.kind !== 'tls') open.plain = slot;
  return slot;
}

function slotOf({ slots }: OpenNumber, entry: GatewayPortServer): Slot {
  const key = keyOf(entry);
  let slot = slots.get(key);
  if (slot === undefined) {
    slot = { bind: entry.bind, isHttp: entry.kind === 'http', servers: [] };
    slots.set(key, slot);
  }
  return slot;
}

function keyOf({ server, bind }: GatewayPortServer): string {
  return `${server.port.protocol} ${bind}`;
}

/** Slots of one address are one listener. */
function listeners(number: number, slots: readonly Slot[], anywhere: string): GatewayPort[] {
  return [...Map.groupBy(slots, ({ bind }) => bind || anywhere)].map(([bind, mine]) => ({
    name: `${bind}_${number}`,
    bind,
    number,
    servers: mine.flatMap(({ servers }) => servers),
  }));
}
