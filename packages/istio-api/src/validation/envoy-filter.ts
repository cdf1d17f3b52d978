import { checkRegex, MAX_REGEX_LENGTH } from '../regex-check.ts';
import type { Path, Report } from '../validate.ts';

interface FilterMatch {
  readonly name?: string;
  readonly subFilter?: { readonly name?: string };
}

interface ConfigPatch {
  readonly applyTo?: string;
  readonly match?: {
    readonly context?: string;
    readonly proxy?: { readonly proxyVersion?: string };
    readonly listener?: { readonly filterChain?: { readonly filter?: FilterMatch } };
    readonly routeConfiguration?: object;
    readonly cluster?: object;
  };
  readonly patch?: { readonly operation?: string; readonly value?: unknown };
}

/** What of an EnvoyFilter is checked as a whole. */
export interface EnvoyFilterFields {
  readonly configPatches?: readonly ConfigPatch[];
}

const MANAGERS: ReadonlySet<string> = new Set(['envoy.filters.network.http_connection_manager', 'envoy.http_connection_manager']);
const CLASSES: Readonly<Record<string, 'listener' | 'routeConfiguration' | 'cluster'>> = {
  LISTENER: 'listener',
  FILTER_CHAIN: 'listener',
  NETWORK_FILTER: 'listener',
  HTTP_FILTER: 'listener',
  ROUTE_CONFIGURATION: 'routeConfiguration',
  VIRTUAL_HOST: 'routeConfiguration',
  HTTP_ROUTE: 'routeConfiguration',
  CLUSTER: 'cluster',
};

/** istiod's rules (ValidateEnvoyFilter), and which patches have no effect. */
export function checkEnvoyFilter({ configPatches = [] }: EnvoyFilterFields, report: Report): void {
  for (const [index, entry] of configPatches.entries()) checkPatch(entry, ['spec', 'configPatches', index], report);
}

function checkPatch(entry: ConfigPatch, path: Path, report: Report): void {
  const { applyTo = '', match, patch } = entry;
  const ignored = (what: string, ...field: string[]): void =>
    report('RIPSTOP_UNSUPPORTED_FIELD', 'warning', [...path, ...field], `${what} has no effect in this version`);
  if (match?.context === 'WAYPOINT') {
    ignored('a patch for waypoints', 'match', 'context');
    return;
  }
  const missing = missingOf(entry);
  if (missing !== undefined) {
    report('RIPSTOP_MISSING_FIELD', 'error', [...path, ...missing], `${missing.join('.')} must be given`);
    return;
  }
  if (applyTo === 'BOOTSTRAP') ignored('a patch of BOOTSTRAP', 'applyTo');
  if (applyTo === 'EXTENSION_CONFIG' && patch?.operation !== 'ADD')
    ignored(`${patch?.operation} of EXTENSION_CONFIG`, 'patch', 'operation');
  const version = match?.proxy?.proxyVersion ?? '';
  if (version.length > MAX_REGEX_LENGTH)
    ignored(`a patch whose proxyVersion has more than ${MAX_REGEX_LENGTH} characters`, 'match', 'proxy', 'proxyVersion');
  else if (version !== '') checkRegex(version, [...path, 'match', 'proxy', 'proxyVersion'], report);
  const wrong = match === undefined ? undefined : wrongMatch(applyTo, match);
  if (wrong !== undefined) report('RIPSTOP_BAD_VALUE', 'error', [...path, 'match'], wrong);
}

function missingOf({ applyTo = 'INVALID', patch }: ConfigPatch): string[] | undefined {
  if (applyTo === 'INVALID') return ['applyTo'];
  if (patch === undefined) return ['patch'];
  const { operation = 'INVALID', value } = patch;
  if (operation === 'INVALID') return ['patch', 'operation'];
  return operation !== 'REMOVE' && value === undefined ? ['patch', 'value'] : undefined;
}

function wrongMatch(applyTo: string, match: NonNullable<ConfigPatch['match']>): string | undefined {
  const wanted = CLASSES[applyTo];
  if (wanted === undefined) return undefined;
  const other = (['listener', 'routeConfiguration', 'cluster'] as const).find((name) => name !== wanted && match[name] !== undefined);
  if (other !== undefined) return `a patch of ${applyTo} is matched by ${wanted}, not by ${other}`;
  const filter = match.listener?.filterChain?.filter;
  if (filter === undefined) return undefined;
  const { name = '', subFilter } = filter;
  if (name === '') return 'the match of a filter needs its name';
  if (subFilter === undefined) return undefined;
  if (applyTo !== 'HTTP_FILTER') return 'subFilter is for patches of HTTP_FILTER';
  if (!MANAGERS.has(name)) return 'subFilter needs the filter envoy.filters.network.http_connection_manager';
  return (subFilter.name ?? '') === '' ? 'the match of a subFilter needs its name' : undefined;
}
