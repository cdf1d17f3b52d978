import { checkNulls } from './null-checks.ts';
import type { Finding, MeshObject, Severity } from './object.ts';
import { formatPath, type Path } from './path.ts';
import type { Kind } from './schema/kind.ts';
import { closesWorkloads, kindOf } from './schema/kinds.ts';
import { semanticChecks } from './semantic-checks.ts';
import { checkStructure } from './structure-checks.ts';

export { formatPath, type Path } from './path.ts';
export { parseDuration } from './value-checks.ts';
export type Report = (code: string, severity: Severity, path: Path, message: string) => void;

/** `VirtualService default/reviews`. */
export function objectKey(object: MeshObject): string {
  const { namespace, name } = object.metadata;
  return `${object.kind} ${namespace === '' ? name : `${namespace}/${name}`}`;
}

/** Everything wrong with one object by itself. An error means that it is not used; the last good version of it stays. */
export function validateObject(object: MeshObject): Finding[] {
  const findings: Finding[] = [];
  const report: Report = (code, severity, path, message) => {
    findings.push({ code, severity, object: objectKey(object), position: object.locate(path), path: formatPath(path), message });
  };
  const kind = kindOf(object.apiVersion, object.kind);
  if (kind === undefined) return findings;
  const refused = kind.status === 'refused' || (kind.status === 'used' && closesWorkloads(object));
  if (refused) reportRefusal(object, kind, report);
  else if (kind.onlyEnvoys === true)
    report(
      'RIPSTOP_UNSUPPORTED_KIND',
      'warning',
      [],
      `${object.kind} is for Envoys, and has no effect on workloads in Node${because(kind.note)}`,
    );
  if (kind.status === 'ignored')
    report('RIPSTOP_UNSUPPORTED_KIND', 'warning', [], `${object.kind} has no effect in this version${because(kind.note)}`);
  const { status, ...rest } = object.rest;
  let right = checkNulls(object, kind, report);
  if (kind.rest !== undefined) right = checkStructure(rest, kind.rest, [], report) && right;
  if (kind.observed !== undefined) right = checkStructure(status, kind.observed, ['status'], report) && right;
  // Of a kind without effect one word is enough; what leaving a field out would make unsafe is an error all the same.
  const reportField: Report =
    kind.status === 'used' && !refused
      ? report
      : (code, severity, ...where) =>
          code === 'RIPSTOP_UNSUPPORTED_FIELD' && (severity === 'warning' || refused) ? undefined : report(code, severity, ...where);
  if (kind.spec !== undefined && !(object.lacksSpec === true && kind.requiresSpec === true))
    right = checkStructure(object.spec, kind.spec, ['spec'], reportField) && right;
  // What closes workloads is judged as well: a document that Istio would refuse closes nothing.
  if (right && kind.status !== 'refused') semanticChecks(object, refused ? reportField : report);
  return findings;
}

function reportRefusal(object: MeshObject, kind: Kind, report: Report): void {
  const effect = closesWorkloads(object)
    ? '; workloads that it selects refuse every request rather than run without it'
    : ' and has no effect';
  const where = kind.onlyEnvoys === true ? ' in Node' : '';
  report(
    'RIPSTOP_UNSUPPORTED_KIND',
    'error',
    [],
    `${object.kind} is not honoured${where || ' by this version'}${effect}${because(kind.note)}`,
  );
}

function because(note: string | undefined): string {
  return note === undefined ? '' : `: ${note}`;
}
