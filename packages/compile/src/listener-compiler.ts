import type { DownstreamTls, FilterChain, HttpConnectionManager } from '@ripstop/core';
import type { ExtensionLookup, ExtensionState } from './discovered-filter.ts';
import type { ManagerEnv } from './http-connection-manager.ts';
import { compileChains, compileOutboundManager, type DecodedListener } from './listener.ts';
import type { ReceivedRoutes } from './received-routes.ts';
import { bindSecrets, type SecretState, secretNames } from './secret.ts';

/** What one listener was compiled to, and from what. */
export interface CompiledListener {
  readonly decoded: DecodedListener;
  readonly routes: readonly (ReceivedRoutes | 'waiting')[];
  readonly secrets: readonly SecretState[];
  readonly extensions: readonly ExtensionState[];
  readonly chains: readonly FilterChain[];
  readonly defaultChain: FilterChain | undefined;
  readonly manager: HttpConnectionManager | undefined;
}

export interface ListenerCompilerOptions {
  readonly managerEnv: (listener: DecodedListener) => ManagerEnv;
  /** A table without hosts where the source has none. */
  readonly route: (name: string) => ReceivedRoutes | 'waiting';
  readonly secretState: (name: string) => SecretState;
  readonly extensionState: ExtensionLookup;
  readonly log?: ((line: string) => void) | undefined;
}

/** Listeners joined with their routes and secrets. One of which nothing changed stays the object that it was. */
export class ListenerCompiler {
  private readonly options: ListenerCompilerOptions;
  private readonly compiled = new Map<string, CompiledListener>();
  /** Why a listener is not as its resources say, as it was told. */
  private readonly told = new Map<string, string>();
  private readonly boundTls = new WeakMap<
    DownstreamTls,
    { readonly states: ReadonlyMap<string, SecretState>; readonly bound: DownstreamTls }
  >();

  constructor(options: ListenerCompilerOptions) {
    this.options = options;
  }

  /** Forgets listeners that are gone. */
  keep(has: (name: string) => boolean): void {
    for (const name of this.compiled.keys()) if (!has(name)) this.compiled.delete(name);
    for (const name of this.told.keys()) if (!has(name)) this.told.delete(name);
  }

  /** Undefined while a new listener waits for its routes (RDS) or for configurations of its filters (ECDS), or cannot be joined with them. */
  compile(name: string, decoded: DecodedListener): CompiledListener | undefined {
    const routes = decoded.routeNames.map((route) => this.options.route(route));
    const secrets = decoded.secretNames.map((secret) => this.options.secretState(secret));
    const before = this.compiled.get(name);
    const extensions = decoded.discovered.map((filter) => this.options.extensionState(filter.name));
    if (routes.includes('waiting')) return before;
    if (decoded.discovered.some(({ waits }, index) => waits && extensions[index] === 'waiting')) return before;
    const same =
      before !== undefined &&
      before.decoded === decoded &&
      routes.every((route, index) => route === before.routes[index]) &&
      extensions.every((extension, index) => extension === before.extensions[index]);
    if (same && secrets.every((secret, index) => secret === before.secrets[index])) return before;
    // A changed listener waits for new secrets: hosts that are served stay served until what replaces them is here.
    if (before !== undefined && secrets.includes('waiting')) return before;
    try {
      const listener = same ? this.rebind(name, { ...before, secrets }) : this.join(name, decoded, { routes, secrets, extensions });
      this.told.delete(name);
      return listener;
    } catch (error) {
      // Resources were tried one by one; what fails only together keeps the listener as it was.
      const effect = before === undefined ? 'it is not served until that is mended' : 'its last good version stays';
      this.tell(name, `${error instanceof Error ? error.message : error}; ${effect}`);
      return before;
    }
  }

  /** Once, not at every build. */
  private tell(name: string, line: string): void {
    if (this.told.get(name) === line) return;
    this.told.set(name, line);
    this.options.log?.(`listener ${name}: ${line}`);
  }

  private join(
    name: string,
    decoded: DecodedListener,
    parts: Pick<CompiledListener, 'routes' | 'secrets' | 'extensions'>,
  ): CompiledListener {
    const env = this.options.managerEnv(decoded);
    const outbound = decoded.kind === 'outbound';
    const { chains, defaultChain } =
      outbound || decoded.kind === 'virtual_outbound' ? { chains: [], defaultChain: undefined } : compileChains(decoded, env);
    return this.rebind(name, {
      decoded,
      ...parts,
      chains,
      defaultChain,
      manager: outbound || decoded.kind === 'virtual_outbound' ? compileOutboundManager(decoded, env) : undefined,
    });
  }

  /** The chains with the secrets as they are now; connection managers stay as they are. */
  private rebind(name: string, listener: CompiledListener): CompiledListener {
    const { decoded, chains, defaultChain } = listener;
    const compiled: CompiledListener = {
      ...listener,
      chains: chains.map((chain, index) => this.withSecrets(chain, decoded.chains[index]?.tls)),
      defaultChain: defaultChain === undefined ? undefined : this.withSecrets(defaultChain, decoded.defaultChain?.tls),
    };
    this.compiled.set(name, compiled);
    return compiled;
  }

  /** A chain whose own secrets did not change keeps its TLS object, and with it what the driver has made of it. */
  private withSecrets(chain: FilterChain, tls: DownstreamTls | undefined): FilterChain {
    if (tls === undefined) return chain;
    const states = new Map(secretNames(tls).map((secret) => [secret, this.options.secretState(secret)]));
    const before = this.boundTls.get(tls);
    if (before !== undefined && [...states].every(([secret, state]) => before.states.get(secret) === state))
      return { ...chain, tls: before.bound };
    const bound = bindSecrets(tls, states);
    this.boundTls.set(tls, { states, bound });
    return { ...chain, tls: bound };
  }
}
