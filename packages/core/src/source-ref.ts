/** Which document a compiled thing came from; `file` and `line` only when the control plane told them. */
export interface SourceRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
}

/** `VirtualService default/reviews (mesh/reviews.yaml:12)`. */
export function formatSource(source: SourceRef): string {
  const where = source.file === undefined ? '' : ` (${source.file}${source.line === undefined ? '' : `:${source.line}`})`;
  return `${source.kind} ${source.namespace}/${source.name}${where}`;
}
