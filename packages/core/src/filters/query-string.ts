/** Sets and removes parameters as Envoy does: the others keep their text, and all are sorted by name. */
export function changeQuery(path: string, set: readonly (readonly [name: string, value: string])[], removed: readonly string[]): string {
  const question = path.indexOf('?');
  const params = new Map<string, string[]>();
  for (const part of question === -1 ? [] : path.slice(question + 1).split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals === -1 ? part : part.slice(0, equals);
    params.set(name, [...(params.get(name) ?? []), equals === -1 ? '' : part.slice(equals + 1)]);
  }
  for (const [name, value] of set) params.set(name, [value]);
  for (const name of removed) params.delete(name);
  const query = [...params]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, values]) => values.map((value) => `${name}=${value}`))
    .join('&');
  const bare = question === -1 ? path : path.slice(0, question);
  return query === '' ? bare : `${bare}?${query}`;
}
