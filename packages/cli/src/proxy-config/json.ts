/** Protobuf JSON as far as the tables read it. */
export type Json = Readonly<Record<string, unknown>>;

/** The object at a path; {} when there is none. */
export function at(value: unknown, ...path: readonly string[]): Json {
  let current = value as Json | undefined;
  for (const name of path) current = current?.[name] as Json | undefined;
  return current ?? {};
}

/** The list in a field; [] when there is none. */
export function listIn<T = Json>(value: unknown, field: string): readonly T[] {
  return ((value as Json | undefined)?.[field] as readonly T[] | undefined) ?? [];
}

/** A text in a field; '' when there is none. */
export function textIn(value: unknown, field: string): string {
  return String((value as Json | undefined)?.[field] ?? '');
}

/** `reviews.default (reviews.yaml:9)`, where a resource is made of a document of that kind; '' when it is not. */
export function documentOf(resource: Json, kind: string): string {
  const source = at(resource, 'metadata', 'filter_metadata', 'ripstop');
  if (source.kind !== kind) return '';
  const place = source.file === undefined ? '' : ` (${textIn(source, 'file')}${source.line === undefined ? '' : `:${source.line}`})`;
  return `${textIn(source, 'name')}.${textIn(source, 'namespace')}${place}`;
}
