/** Keys and indexes from the root of a document. */
export type Path = readonly (string | number)[];

/** `spec.http[0].route`. */
export function formatPath(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}
