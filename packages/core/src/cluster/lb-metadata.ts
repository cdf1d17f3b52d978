/** Metadata that a request wants of its host (metadata_match, `envoy.lb`): names sorted, each value as canonical JSON. */
export type MatchCriteria = readonly (readonly [name: string, value: string])[];

/** Criteria of a metadata object; undefined when it says nothing. */
export function criteriaOf(metadata: Readonly<Record<string, unknown>>): MatchCriteria | undefined {
  const entries = Object.entries(metadata).map(([name, value]): readonly [string, string] => [name, canonical(value)]);
  if (entries.length === 0) return undefined;
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The second one's values count where both name one. */
export function mergeCriteria(first: MatchCriteria | undefined, second: MatchCriteria | undefined): MatchCriteria | undefined {
  if (first === undefined || second === undefined) return second ?? first;
  return [...new Map([...first, ...second])].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** JSON with the names of objects sorted, so that equal values are equal texts. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`).join(',')}}`;
}
