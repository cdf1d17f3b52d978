import type { SourceRef } from '@ripstop/core';
import type { Duration, FractionalPercent } from '@ripstop/xds-api';

/** Milliseconds of a Duration; `otherwise` when it is unset. */
export function milliseconds(duration: Duration | undefined, otherwise: number): number {
  return duration === undefined ? otherwise : duration.seconds * 1000 + duration.nanos / 1_000_000;
}

/** 0 to 100. Unset is 0 %, as the fault filter takes it. */
export function percent(value: FractionalPercent | undefined): number {
  const { numerator, denominator } = fraction(value);
  return (100 * numerator) / denominator;
}

const DENOMINATORS = [100, 10_000, 1_000_000];

/** As it is written; unset is 0 of 100. */
export function fraction(value: FractionalPercent | undefined): { readonly numerator: number; readonly denominator: number } {
  return { numerator: value?.numerator ?? 0, denominator: DENOMINATORS[value?.denominator ?? 0] ?? 100 };
}

interface WithFilterMetadata {
  readonly filterMetadata: { readonly [name: string]: unknown };
}

/** The filter metadata of one namespace as a plain object. */
export function filterMetadata(metadata: WithFilterMetadata | undefined, name: string): Readonly<Record<string, unknown>> {
  const value = metadata?.filterMetadata[name];
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/**
 * Where a resource came from: `filter_metadata.ripstop` with file and line (our control plane), else istiod's
 * `filter_metadata.istio.config` path (`/apis/<group>/<version>/namespaces/<ns>/<kind>/<name>`).
 */
export function sourceOf(metadata: WithFilterMetadata | undefined): SourceRef | undefined {
  const own = sourceRef(filterMetadata(metadata, 'ripstop'));
  if (own !== undefined) return own;
  const { config } = filterMetadata(metadata, 'istio');
  const match = typeof config === 'string' ? /\/namespaces\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(config) : null;
  if (match === null) return undefined;
  const kind = match[2]!.replace(/(^|-)([a-z])/g, (_all, _dash, letter: string) => letter.toUpperCase());
  return { kind, namespace: match[1]!, name: match[3]! };
}

/** Documents that a listener as a whole is made of (`filter_metadata.ripstop.objects`), by `kind namespace/name`; undefined = not told. */
export function sourcesOf(metadata: WithFilterMetadata | undefined): ReadonlyMap<string, SourceRef> | undefined {
  const { objects } = filterMetadata(metadata, 'ripstop');
  if (!Array.isArray(objects)) return undefined;
  const refs = objects.map((object: unknown) => sourceRef(object as Readonly<Record<string, unknown>>)).filter((ref) => ref !== undefined);
  return new Map(refs.map((ref) => [`${ref.kind} ${ref.namespace}/${ref.name}`, ref]));
}

function sourceRef(own: Readonly<Record<string, unknown>> | null): SourceRef | undefined {
  if (typeof own?.kind !== 'string') return undefined;
  return {
    kind: shared(own.kind),
    namespace: shared(String(own.namespace ?? '')),
    name: String(own.name ?? ''),
    ...(typeof own.file === 'string' ? { file: shared(own.file) } : {}),
    ...(typeof own.line === 'number' ? { line: own.line } : {}),
  };
}

const TEXTS_KEPT = 1_024;
const texts = new Map<string, string>();

/** One copy of what thousands of routes say: each decoded message has its own. */
function shared(text: string): string {
  const kept = texts.get(text);
  if (kept !== undefined) return kept;
  if (texts.size === TEXTS_KEPT) texts.clear();
  texts.set(text, text);
  return text;
}
