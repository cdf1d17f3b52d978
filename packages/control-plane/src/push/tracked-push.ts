import type { ProxyNode } from '../model/proxy-node.ts';
import type { OutboundScope } from './outbound-scope.ts';
import type { PushContext } from './push-context.ts';
import { type Place, type ReadLog, WHOLE } from './read-log.ts';
import type { SharedResults } from './shared.ts';

/** How an object of a push is looked into; what is not named is taken as a whole. */
interface Shape {
  /** Methods of which the answer counts, and not what they look at. */
  readonly lookups: ReadonlySet<string> | 'all';
  /** Fields, and methods, whose objects are looked into in their turn. */
  readonly inner?: Readonly<Record<string, Shape>>;
}

const MAP: Shape = { lookups: new Set(['get', 'has']) };
const RULES: Shape = { lookups: 'all' };
const SCOPE: Shape = { lookups: 'all', inner: { byHost: MAP, at: RULES } };

/**
 * Any other method runs over the tracked push itself, so that what it reads counts; and a field that somebody adds is a dependency
 * without further ado. Naming one here only makes results hold longer.
 */
const LOOKUPS: ReadonlySet<string> = new Set([
  'serviceIn',
  'endpoints',
  'endpointsAt',
  'identitiesOf',
  'instance',
  'servicesOfWorkload',
  'policiesFor',
]);
const FIELDS: Readonly<Record<string, Shape>> = {
  destinationRules: RULES,
  peerAuthentications: RULES,
  certificates: MAP,
  annotatedProxies: MAP,
};

type Method = (...args: unknown[]) => unknown;

/** The push as translation sees it: the same answers, and every look at it is taken down. */
export function trackedPush(push: PushContext, log: ReadLog, shared: SharedResults): PushContext {
  const fields = new Map<string, unknown>();
  const scopes = new Map<string, OutboundScope>();
  const scopeBit = log.bit('scopes');
  const { root } = log;
  const scopeFor = (node: Pick<ProxyNode, 'dialect' | 'namespace' | 'labels'>): OutboundScope => {
    const key = push.scopeKeyOf(node);
    if (log.scope !== key) log.lookup(scopeBit, root, 'scopeKeyOf', [node], key);
    let scope = scopes.get(key);
    if (scope === undefined) {
      scope = looked(push.scope(key)!, SCOPE, scopeBit, root.at('scope', [key]), log);
      scopes.set(key, scope);
    }
    return scope;
  };
  const view: PushContext = new Proxy(push, {
    get(target, key) {
      if (key === 'shared') return shared;
      if (key === 'scopeFor') return scopeFor;
      const value = Reflect.get(target, key, view) as unknown;
      if (typeof key === 'symbol') return value;
      if (typeof value === 'function') return LOOKUPS.has(key) ? lookup(value as Method, key) : value;
      const shape = FIELDS[key];
      if (shape !== undefined) {
        if (!fields.has(key)) fields.set(key, looked(value as object, shape, log.bit(key), root.at(key), log));
        return fields.get(key);
      }
      // What a getter answers from it has read through this same view.
      if (Object.hasOwn(target, key)) log.field(log.bit(key), root, key, value);
      return value;
    },
  });
  const lookup = (method: Method, name: string): Method => {
    return (...args) => {
      const { value, recorded } = log.during(() => method.apply(view, args));
      log.lookup(recorded.parts, root, name, args, value);
      return value;
    };
  };
  return view;
}

/** An object of a push, looked into: its fields and what its lookups answer are taken down, not the object as a whole. */
function looked<T extends object>(target: T, shape: Shape, parts: number, place: Place, log: ReadLog): T {
  const { lookups, inner = {} } = shape;
  const known = new Map<unknown, unknown>();
  const deeper = (key: unknown, name: string, value: object, at: Place): unknown => {
    if (!known.has(key)) known.set(key, looked(value, inner[name]!, parts, at, log));
    return known.get(key);
  };
  return new Proxy(target, {
    get(object, key) {
      const value = Reflect.get(object, key) as unknown;
      if (typeof key === 'symbol') return whole(object, value, place, parts, log);
      if (typeof value !== 'function') {
        if (inner[key] !== undefined) return deeper(key, key, value as object, place.at(key));
        log.field(parts, place, key, value);
        return value;
      }
      const method = value as Method;
      if (inner[key] !== undefined)
        return (...args: unknown[]) =>
          deeper(args[0], key, method.apply(object, args) as object, place.at(key, args as (string | number)[]));
      if (lookups !== 'all' && !lookups.has(key)) return whole(object, value, place, parts, log);
      return (...args: unknown[]) => {
        const found = method.apply(object, args);
        log.lookup(parts, place, key, args, found);
        return found;
      };
    },
  });
}

/** A loop over a map looks at all of it. */
function whole(object: object, value: unknown, place: Place, parts: number, log: ReadLog): unknown {
  log.field(parts, place, WHOLE, object);
  return typeof value === 'function' ? value.bind(object) : value;
}
