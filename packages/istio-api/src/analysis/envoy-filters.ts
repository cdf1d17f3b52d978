import type { Analyzer } from './say.ts';

interface Patch {
  readonly applyTo?: string;
  readonly match?: {
    readonly proxy?: { readonly proxyVersion?: string };
    readonly listener?: { readonly filterChain?: { readonly filter?: { readonly name?: string } } };
  };
  readonly patch?: { readonly operation?: string; readonly value?: { readonly name?: unknown } };
}

const OF_ROUTES: ReadonlySet<string> = new Set(['ROUTE_CONFIGURATION', 'HTTP_ROUTE']);
const REPLACEABLE: ReadonlySet<string> = new Set(['NETWORK_FILTER', 'HTTP_FILTER', 'VIRTUAL_HOST']);

/** Operations that are ignored, or depend on what is there already (Istio: EnvoyPatchAnalyzer). */
export const analyzeEnvoyFilters: Analyzer = (mesh, say) => {
  const versioned = new Set<string>();
  for (const object of mesh.all<{ readonly priority?: number; readonly configPatches?: readonly Patch[] }>(
    'networking.istio.io/EnvoyFilter',
  ))
    for (const [index, entry] of (object.spec.configPatches ?? []).entries()) {
      const { operation = '' } = entry.patch ?? {};
      const { applyTo = '' } = entry;
      const path = ['spec', 'configPatches', index];
      const name = filterName(entry);
      const relative = (): void => {
        if ((object.spec.priority ?? 0) !== 0) return;
        const code = versioned.has(name) ? 'IST0155' : 'IST0151';
        const why = code === 'IST0155' ? ', and another patch of this filter has a proxyVersion' : '';
        say(object, code, path, `${operation} depends on what is there already${why}: set priority, or use INSERT_FIRST or ADD`);
      };
      if (entry.patch === undefined) break;
      if (OF_ROUTES.has(applyTo) && operation === 'ADD') say(object, 'IST0153', path, `ADD is ignored for ${applyTo}: use MERGE`);
      else if (OF_ROUTES.has(applyTo) && operation === 'REMOVE')
        say(object, 'IST0154', path, `REMOVE is ignored for ${applyTo}: use MERGE`);
      else if (operation === 'REPLACE' && !REPLACEABLE.has(applyTo))
        say(object, 'IST0152', path, `REPLACE works for ${[...REPLACEABLE].join(', ')}, not for ${applyTo}: use MERGE`);
      else if (['REMOVE', 'REPLACE', 'INSERT_BEFORE', 'INSERT_AFTER'].includes(operation)) relative();
      if ((entry.match?.proxy?.proxyVersion ?? '') !== '') versioned.add(name);
    }
};

function filterName({ patch, match }: Patch): string {
  if (patch?.value === undefined) return '';
  return String(patch.value.name ?? match?.listener?.filterChain?.filter?.name ?? '');
}
