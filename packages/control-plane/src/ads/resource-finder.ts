import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { both, type Found, NOTHING } from './differences.ts';
import type { Names } from './holding.ts';
import { NodeResults } from './node-results.ts';
import type { TypeState } from './type-state.ts';

/** What one client may have to be told: the resources of its node, as far as it subscribes to them. */
export class ResourceFinder {
  private readonly grpc: boolean;
  private readonly results: NodeResults;
  private readonly onProblem: (typeUrl: string, error: unknown) => void;

  constructor(node: ProxyNode, onProblem: (typeUrl: string, error: unknown) => void) {
    this.grpc = node.dialect === 'grpc';
    this.results = new NodeResults(node);
    this.onProblem = onProblem;
  }

  /** True while there is more to make for a full set than one turn should take. */
  prepare(typeUrl: string, push: PushContext, names: Names): boolean {
    try {
      return this.results.prepare(typeUrl, push, names);
    } catch {
      return false; // Finding runs into the same, and says so.
    }
  }

  /** What there is of these names, or of the type; undefined when it cannot be translated. */
  find(typeUrl: string, state: TypeState, push: PushContext, names: Names | undefined): Found | undefined {
    try {
      const { list: before, subscription } = state;
      const startedMs = performance.now();
      if (!this.results.isWhole(typeUrl))
        return {
          resources: this.results.named(typeUrl, push, names ?? state.names.shared ?? state.names),
          names: names ?? state.names,
          before,
          exact: true,
          subscription,
          startedMs,
        };
      const list = this.results.whole(typeUrl, push, this.grpc ? [...state.names] : []);
      const everything = state.wildcard || this.grpc;
      state.list = everything ? list : list.filter(({ name }) => state.wants(name));
      return { resources: state.list, names, before, exact: false, subscription, startedMs };
    } catch (error) {
      this.onProblem(typeUrl, error);
      return undefined;
    }
  }

  /** What a push may have to say about a type; undefined when it has nothing. `more`: names to look at in any case. */
  news(typeUrl: string, state: TypeState | undefined, push: PushContext, since: PushContext, more: Names = NOTHING): Found | undefined {
    if (state === undefined) return undefined;
    if (this.results.isWhole(typeUrl)) {
      const found = this.find(typeUrl, state, push, undefined);
      return found?.resources === found?.before && state.versions.size === found?.resources.length ? undefined : found;
    }
    const changed = this.results.changed(typeUrl, push, since);
    if (changed === undefined) return this.find(typeUrl, state, push, undefined);
    if (changed.size === 0 && more.size === 0) return undefined;
    const names = both(changed, state.names);
    for (const name of more) names.add(name);
    return names.size === 0 ? undefined : this.find(typeUrl, state, push, names);
  }
}
