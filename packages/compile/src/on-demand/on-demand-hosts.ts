import type { ConfigUpdate, HostRequests, LastUse, RawResource, Rejection, Snapshot } from '@ripstop/core';
import { RouteConfiguration, VIRTUAL_HOST_TYPE_URL, VirtualHost } from '@ripstop/xds-api';

/** A virtual host that came by itself. */
export interface OnDemandHost {
  readonly message: VirtualHost;
  readonly lastUse: LastUse;
  /** Of the resource: `<route configuration>/<anything>`, and what else it was asked for as. */
  readonly resource: string;
  readonly aliases: readonly string[];
  readonly body: Uint8Array;
}

export interface OnDemandHostsEnv {
  /** The route configuration of a name, for what it has itself. */
  route(name: string): RouteConfiguration | undefined;
  /** Throws on what cannot be honoured. */
  check(table: RouteConfiguration): void;
  /** Asks for `<route configuration>/<host>`; see HostRequests. */
  readonly ask?: ((name: string) => Promise<Snapshot | undefined> | undefined) | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

interface Table {
  version: number;
  /** By the name of the virtual host, as in Envoy: of two resources with one name the later one counts. */
  readonly hosts: Map<string, OnDemandHost>;
  /** Names and aliases of resources, and the host that each has brought. */
  readonly names: Map<string, string>;
}

/** Virtual hosts by the route configuration that they belong to (VHDS). Run-time state: it outlives listeners and routes. */
export class OnDemandHosts {
  readonly typeUrl: string = VIRTUAL_HOST_TYPE_URL;
  private readonly env: OnDemandHostsEnv;
  private readonly tables = new Map<string, Table>();
  private changes = 0;

  constructor(env: OnDemandHostsEnv) {
    this.env = env;
  }

  /** Takes what is new and good; the last good version of what is refused stays. */
  apply({ resources, removed }: ConfigUpdate): { readonly rejections: readonly Rejection[] } {
    const rejections: Rejection[] = [];
    for (const resource of resources) {
      try {
        this.put(resource);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        rejections.push({ typeUrl: this.typeUrl, name: resource.name, reason });
      }
    }
    for (const name of removed) this.drop(name);
    return { rejections };
  }

  of(table: string): Iterable<OnDemandHost> {
    return this.tables.get(table)?.hosts.values() ?? [];
  }

  version(table: string): number {
    return this.tables.get(table)?.version ?? 0;
  }

  /** Asks for hosts of one table. */
  requests(table: string): HostRequests {
    return {
      ask: (authority) =>
        authority.length > MAX_AUTHORITY || authority.includes('/') ? undefined : this.env.ask?.(`${table}/${authority.toLowerCase()}`),
    };
  }

  /** When the host that has come under a name was used last; undefined when there is none. */
  lastUse(name: string): LastUse | undefined {
    return this.find(name)?.host.lastUse;
  }

  /** Nobody asks for it under this name any longer; it stays while it has another one. */
  forget(name: string): void {
    const found = this.find(name);
    if (found === undefined) return;
    const aliases = found.host.aliases.filter((alias) => alias !== name);
    remove(found.table, found.host);
    if (aliases.length > 0) place(found.table, { ...found.host, aliases });
    else found.table.version = ++this.changes;
  }

  /** Forgets tables that ask for nothing any more. */
  keep(tables: readonly string[]): void {
    for (const name of this.tables.keys()) if (!tables.includes(name)) this.tables.delete(name);
  }

  /** A route configuration must get along with the hosts that are here. */
  checkTable({ name, virtualHosts }: RouteConfiguration): void {
    for (const { message } of this.of(name)) for (const other of virtualHosts) checkDomains(message, other);
  }

  tell(line: string): void {
    this.env.log?.(line);
  }

  private put(resource: RawResource): void {
    const { name, aliases = [], body } = resource;
    const before = this.find(name)?.host;
    const table = this.table(tableOf(name));
    if (before?.resource === name && Buffer.compare(before.body, body) === 0) {
      remove(table, before);
      place(table, { ...before, aliases });
      return;
    }
    const message = VirtualHost.decode(body);
    this.check(tableOf(name), name, message);
    if (before?.resource === name) remove(table, before);
    place(table, { message, lastUse: before?.lastUse ?? { at: 0 }, resource: name, aliases, body });
    table.version = ++this.changes;
  }

  private check(tableName: string, resource: string, message: VirtualHost): void {
    const table = this.env.route(tableName);
    this.env.check({ ...(table ?? NO_ROUTES), name: tableName, virtualHosts: [message] });
    for (const other of table?.virtualHosts ?? []) checkDomains(message, other);
    for (const other of this.of(tableName))
      if (other.resource !== resource && other.message.name !== message.name) checkDomains(message, other.message);
  }

  /** By the resource, or, as in Envoy, by the name that the virtual host itself has. */
  private drop(name: string): void {
    const table = this.table(tableOf(name));
    const host = this.find(name)?.host ?? table.hosts.get(name);
    if (host === undefined) return;
    remove(table, host);
    table.version = ++this.changes;
  }

  private find(name: string): { readonly table: Table; readonly host: OnDemandHost } | undefined {
    const table = this.tables.get(tableOf(name));
    const host = table?.hosts.get(table.names.get(name) ?? '');
    return table === undefined || host === undefined ? undefined : { table, host };
  }

  private table(name: string): Table {
    const table = this.tables.get(name) ?? { version: 0, hosts: new Map(), names: new Map() };
    this.tables.set(name, table);
    return table;
  }
}

function place(table: Table, host: OnDemandHost): void {
  const replaced = table.hosts.get(host.message.name);
  if (replaced !== undefined) remove(table, replaced);
  table.hosts.set(host.message.name, host);
  for (const name of [host.resource, ...host.aliases]) table.names.set(name, host.message.name);
}

function remove(table: Table, host: OnDemandHost): void {
  table.hosts.delete(host.message.name);
  for (const name of [host.resource, ...host.aliases]) table.names.delete(name);
}

/** Longer than any name of a host with a port. */
const MAX_AUTHORITY = 300;
const NO_ROUTES = RouteConfiguration.fromPartial({});

/** What stands before the last slash. */
function tableOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}

function checkDomains(host: VirtualHost, other: VirtualHost): void {
  const taken = new Set(other.domains.map((domain) => domain.toLowerCase()));
  const twice = host.domains.find((domain) => taken.has(domain.toLowerCase()));
  if (twice !== undefined) throw new Error(`virtual host ${host.name}: the domain ${twice} stands already in virtual host ${other.name}`);
}
