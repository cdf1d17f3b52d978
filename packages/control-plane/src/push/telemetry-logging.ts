import type { ProviderRef, TelemetryAccessLogging } from '@ripstop/istio-api';

interface Choice {
  readonly disabled: boolean;
  readonly expression: string | undefined;
}

/**
 * Which providers log in a mode, and with which filter (istiod: mergeLogs). The lowest level that names providers replaces the set;
 * an entry without providers speaks of those of the entry just before it.
 */
export function mergeAccessLogging(
  levels: readonly (readonly TelemetryAccessLogging[])[],
  defaults: readonly string[],
  mode: 'CLIENT' | 'SERVER',
): ReadonlyMap<string, Choice> {
  if (levels.length === 0) return new Map(defaults.map((name) => [name, { disabled: false, expression: undefined }]));
  const { inScope, filters } = providersInScope(levels, defaults, mode);
  const chosen = new Map<string, Choice>();
  let parents = defaults;
  for (const entry of levels.flat()) {
    const named = namesOf(entry.providers);
    const names = named.length > 0 ? named : parents;
    parents = names;
    if (!matchesMode(entry, mode)) continue;
    for (const name of names) {
      if (!inScope.has(name)) continue;
      chosen.set(
        name,
        entry.disabled === true ? { disabled: true, expression: undefined } : { disabled: false, expression: filters.get(name) },
      );
    }
  }
  return chosen;
}

function providersInScope(
  levels: readonly (readonly TelemetryAccessLogging[])[],
  defaults: readonly string[],
  mode: 'CLIENT' | 'SERVER',
): { readonly inScope: ReadonlySet<string>; readonly filters: ReadonlyMap<string, string | undefined> } {
  let inScope = new Set(defaults);
  const filters = new Map<string, string | undefined>();
  for (const level of levels) {
    const names = new Set<string>();
    for (const entry of level) {
      if (!matchesMode(entry, mode)) continue;
      for (const name of namesOf(entry.providers)) {
        names.add(name);
        filters.set(name, entry.filter?.expression);
      }
    }
    if (names.size > 0) inScope = names;
  }
  return { inScope, filters };
}

function matchesMode({ match }: TelemetryAccessLogging, mode: 'CLIENT' | 'SERVER'): boolean {
  return match?.mode === undefined || match.mode === 'CLIENT_AND_SERVER' || match.mode === mode;
}

/** Names of providers that an entry gives itself. */
export function namesOf(providers: readonly ProviderRef[] | undefined): string[] {
  return (providers ?? []).map(({ name = '' }) => name);
}
