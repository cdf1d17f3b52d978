import type { HTTPMatchRequest, HTTPRoute, StringMatch } from '@ripstop/istio-api';

/**
 * A delegate's route under its root (Istio: mergeHTTPRoute): the delegate's field wins, else the root's; matches are combined leaf
 * by leaf. Undefined when a leaf match fits no root match: Istio drops the whole leaf route then.
 */
export function mergeDelegate(root: HTTPRoute, leaf: HTTPRoute): HTTPRoute | undefined {
  const match = mergeMatches(root.match ?? [], leaf.match ?? []);
  if (match === undefined) return undefined;
  const { delegate: _delegate, ...inherited } = root;
  const name = [root.name, leaf.name].filter((part) => part !== undefined && part !== '').join('-');
  return { ...inherited, ...leaf, ...(name === '' ? {} : { name }), ...(match.length === 0 ? {} : { match }) };
}

function mergeMatches(roots: readonly HTTPMatchRequest[], leaves: readonly HTTPMatchRequest[]): HTTPMatchRequest[] | undefined {
  if (leaves.length === 0) return [...roots];
  if (roots.length === 0) return [...leaves];
  const merged: HTTPMatchRequest[] = [];
  for (const leaf of leaves) {
    const fitting = roots.filter((root) => !conflicts(root, leaf)).map((root) => combine(root, leaf));
    if (fitting.length === 0) return undefined;
    merged.push(...fitting);
  }
  return merged;
}

function combine(root: HTTPMatchRequest, leaf: HTTPMatchRequest): HTTPMatchRequest {
  const name = [root.name, leaf.name].filter((part) => part !== undefined && part !== '').join('-');
  const both = <T extends object>(a: T | undefined, b: T | undefined): T | undefined => (a || b ? ({ ...a, ...b } as T) : undefined);
  const maps = {
    headers: both(root.headers, leaf.headers),
    withoutHeaders: both(root.withoutHeaders, leaf.withoutHeaders),
    queryParams: both(root.queryParams, leaf.queryParams),
    sourceLabels: both(root.sourceLabels, leaf.sourceLabels),
  };
  const present = Object.fromEntries(Object.entries(maps).filter(([, value]) => value !== undefined));
  return { ...root, ...leaf, ...present, ...(name === '' ? {} : { name }) };
}

/** True when both say something about one thing and the leaf is not inside the root. */
function conflicts(root: HTTPMatchRequest, leaf: HTTPMatchRequest): boolean {
  if ((root.ignoreUriCase ?? false) !== (leaf.ignoreUriCase ?? false)) return true;
  if (root.port !== undefined && leaf.port !== undefined && root.port !== leaf.port) return true;
  const { gateways = [], sourceNamespace = '' } = root;
  if (gateways.length > 0 && leaf.gateways?.some((gateway) => !gateways.includes(gateway))) return true;
  // A leaf that says none is outside as well, unlike with every other field.
  if (sourceNamespace !== '' && leaf.sourceNamespace !== sourceNamespace) return true;
  if (outside(root.uri, leaf.uri) || outside(root.scheme, leaf.scheme)) return true;
  if (outside(root.method, leaf.method) || outside(root.authority, leaf.authority)) return true;
  for (const name in leaf.sourceLabels) {
    if (root.sourceLabels?.[name] !== undefined && root.sourceLabels[name] !== leaf.sourceLabels[name]) return true;
  }
  return (
    mapOutside(root.headers, leaf.headers) ||
    mapOutside(root.withoutHeaders, leaf.withoutHeaders) ||
    mapOutside(root.queryParams, leaf.queryParams)
  );
}

type Matches = Readonly<Record<string, StringMatch>> | undefined;

function mapOutside(root: Matches, leaf: Matches): boolean {
  for (const name in leaf) if (outside(root?.[name], leaf[name])) return true;
  return false;
}

/** Istio: stringMatchConflict. What says nothing (`{}`, an empty text) is inside of nothing. */
function outside(root: StringMatch | undefined, leaf: StringMatch | undefined): boolean {
  if (root === undefined || leaf === undefined) return false;
  const { exact = '', prefix = '', regex = '' } = root;
  const { exact: leafExact = '', prefix: leafPrefix = '', regex: leafRegex = '' } = leaf;
  const inner = leafPrefix === '' ? leafExact : leafPrefix;
  if (regex !== '' && (inner !== '' || leafRegex !== '')) return true;
  if (leafRegex !== '' && (exact !== '' || prefix !== '')) return true;
  if (exact !== '') return leafPrefix !== '' || leafExact !== exact;
  return prefix === '' || inner === '' || !inner.startsWith(prefix);
}
