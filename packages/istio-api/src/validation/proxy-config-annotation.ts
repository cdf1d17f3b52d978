import type { Finding } from '../object.ts';
import { parseDocuments } from '../parse.ts';
import { formatPath } from '../path.ts';
import { PROXY_CONFIG } from '../schema/mesh-proxy-config.ts';
import { checkStructure } from '../structure-checks.ts';
import type { Path, Report } from '../validate.ts';

const ANNOTATION = 'proxy.istio.io/config';

/** The ProxyConfig of an annotation `proxy.istio.io/config`; undefined without one, or when it cannot be read or has mistakes. */
export function proxyConfigOf(annotations: Readonly<Record<string, string>>): object | undefined {
  const text = annotations[ANNOTATION];
  if (text === undefined) return undefined;
  const { config, problems } = read(text);
  return problems.some(({ severity }) => severity === 'error') ? undefined : config;
}

/** A mistake costs the annotation, not the object: the mesh's ProxyConfig holds. */
export function checkProxyConfigAnnotation(annotations: Readonly<Record<string, string>>, path: Path, report: Report): void {
  const text = annotations[ANNOTATION];
  if (text === undefined) return;
  for (const { code, severity, path: at, message } of read(text).problems)
    report(
      code,
      'warning',
      [...path, ANNOTATION],
      `${at === '' ? '' : `${at}: `}${message}${severity === 'error' ? '; the annotation has no effect' : ''}`,
    );
}

type Problem = Pick<Finding, 'code' | 'severity' | 'path' | 'message'>;

function read(text: string): { readonly config: object | undefined; readonly problems: readonly Problem[] } {
  // A text without apiVersion and kind is read as that of a file `mesh.yaml`.
  const { objects, findings } = parseDocuments(text, { file: 'mesh.yaml' });
  const problems: Problem[] = [...findings];
  const spec = objects[0]?.kind === 'MeshConfig' ? objects[0].spec : undefined;
  if (spec === undefined && findings.length === 0 && text.trim() !== '')
    problems.push({ code: 'RIPSTOP_YAML', severity: 'error', path: '', message: 'this is no ProxyConfig' });
  const report: Report = (code, severity, path, message) => problems.push({ code, severity, path: formatPath(path), message });
  if (spec !== undefined) checkStructure(spec, PROXY_CONFIG, [], report);
  return { config: spec as object | undefined, problems };
}
