import { checkRegex } from './regex-check.ts';
import type { Path, Report } from './validate.ts';

/* The rules of the Gateway API's CRDs (v1.6, x-kubernetes-validations) that a field by itself cannot show. */

/** Of header and query values, by the CRDs. */
const MAX_VALUE_LENGTH = 4096;

interface Ref {
  readonly group?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly sectionName?: string;
  readonly port?: number;
}

interface PathModifier {
  readonly type?: string;
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

interface Filter {
  readonly type: string;
  readonly requestMirror?: { readonly backendRef?: Ref; readonly percent?: number; readonly fraction?: Fraction };
  readonly requestRedirect?: { readonly path?: PathModifier };
  readonly urlRewrite?: { readonly path?: PathModifier };
}

interface Fraction {
  readonly numerator?: number;
  readonly denominator?: number;
}

interface PathMatch {
  readonly type?: string;
  readonly value?: string;
}

interface NamedMatch {
  readonly type?: string;
  readonly value?: string;
}

interface Match {
  readonly path?: PathMatch;
  readonly method?: string | { readonly type?: string; readonly service?: string; readonly method?: string };
  readonly headers?: readonly NamedMatch[];
  readonly queryParams?: readonly NamedMatch[];
}

interface RouteRule {
  readonly matches?: readonly Match[];
  readonly filters?: readonly Filter[];
  readonly backendRefs?: readonly (Ref & { readonly filters?: readonly Filter[] })[];
}

export interface KubernetesRoute {
  readonly parentRefs?: readonly Ref[];
  readonly rules?: readonly RouteRule[];
}

export interface KubernetesGateway {
  readonly listeners?: readonly {
    readonly name: string;
    readonly hostname?: string;
    readonly port: number;
    readonly protocol: string;
    readonly tls?: { readonly mode?: string; readonly certificateRefs?: readonly unknown[]; readonly options?: object };
  }[];
}

const BAD = 'RIPSTOP_BAD_VALUE';
const MISSING = 'RIPSTOP_MISSING_FIELD';

export function checkKubernetesGateway({ listeners = [] }: KubernetesGateway, report: Report): void {
  const names = new Set<string>();
  for (const [index, { name, protocol, hostname, tls }] of listeners.entries()) {
    const path = ['spec', 'listeners', index];
    if (names.has(name))
      report(BAD, 'error', [...path, 'name'], `listener name "${name}" is used twice: it must be unique within the Gateway`);
    names.add(name);
    if (tls !== undefined && (protocol === 'HTTP' || protocol === 'TCP' || protocol === 'UDP'))
      report(BAD, 'error', [...path, 'tls'], `tls must not be given for protocol ${protocol}: use HTTPS or TLS, or leave tls out`);
    if ((protocol === 'TCP' || protocol === 'UDP') && (hostname ?? '') !== '')
      report(BAD, 'error', [...path, 'hostname'], `hostname must not be given for protocol ${protocol}: there is no name to look at`);
    if (protocol === 'HTTPS' && tls?.mode === 'Passthrough')
      report(
        BAD,
        'error',
        [...path, 'tls', 'mode'],
        'tls mode must be Terminate for protocol HTTPS: use protocol TLS to pass connections through',
      );
    if ((protocol === 'HTTPS' || protocol === 'TLS') && tls === undefined)
      report(
        MISSING,
        'warning',
        path,
        `a listener of protocol ${protocol} is not opened without tls: name a Secret in tls.certificateRefs`,
      );
    if (
      tls !== undefined &&
      tls.mode !== 'Passthrough' &&
      (tls.certificateRefs ?? []).length === 0 &&
      Object.keys(tls.options ?? {}).length === 0
    )
      report(MISSING, 'error', [...path, 'tls'], 'certificateRefs or options must be given when mode is Terminate');
  }
}

export function checkKubernetesRoute({ parentRefs = [], rules = [] }: KubernetesRoute, report: Report): void {
  checkParents(parentRefs, report);
  for (const [index, rule] of rules.entries()) checkRule(rule, ['spec', 'rules', index], report);
}

/** A TLSRoute or TCPRoute. */
export function checkStreamParents({ parentRefs = [] }: KubernetesRoute, report: Report): void {
  for (const [index, { group = 'gateway.networking.k8s.io', kind = 'Gateway', name = '' }] of parentRefs.entries()) {
    const mesh = (group === '' && kind === 'Service') || (group === 'networking.istio.io' && kind === 'ServiceEntry');
    if (mesh)
      report(
        'RIPSTOP_UNSUPPORTED_FIELD',
        'warning',
        ['spec', 'parentRefs', index],
        `for calls to ${name} this route has no effect on our own processes: they carry HTTP and gRPC, what else they send goes its own way; Envoys follow it`,
      );
  }
}

/** Rules of the API's own definition: all or none of those that name one parent have a sectionName, and so a port; no two are alike. */
function checkParents(parents: readonly Ref[], report: Report): void {
  const seen = new Map<string, Ref[]>();
  for (const [index, parent] of parents.entries()) {
    const { group = 'gateway.networking.k8s.io', kind = 'Gateway', name = '', namespace = '' } = parent;
    const key = [group, kind, namespace, name].join(' ');
    const before = seen.get(key) ?? [];
    seen.set(key, [...before, parent]);
    const path = ['spec', 'parentRefs', index];
    if (before.some((other) => !other.sectionName !== !parent.sectionName || !other.port !== !parent.port))
      report(BAD, 'error', path, `sectionName or port must be specified: parent "${name}" is named with it and without it`);
    else if (before.some((other) => (other.sectionName || '') === (parent.sectionName || '') && (other.port || 0) === (parent.port || 0)))
      report(BAD, 'error', path, `parent "${name}" is named twice: tell the two apart by sectionName or port`);
  }
}

function checkRule({ matches = [], filters = [], backendRefs = [] }: RouteRule, path: Path, report: Report): void {
  for (const [index, match] of matches.entries()) {
    checkMatch(match, [...path, 'matches', index], report);
  }
  checkFilters(filters, [...path, 'filters'], report);
  const types = new Set(filters.map(({ type }) => type));
  if (types.has('RequestRedirect') && types.has('URLRewrite'))
    report(BAD, 'error', [...path, 'filters'], 'RequestRedirect and URLRewrite exclude each other: leave one out');
  if (types.has('RequestRedirect') && backendRefs.length > 0)
    report(BAD, 'error', [...path, 'backendRefs'], 'a rule that redirects has no backendRefs: leave one of the two out');
  for (const [index, { type, requestRedirect, urlRewrite }] of filters.entries()) {
    const replaces = (requestRedirect ?? urlRewrite)?.path?.replacePrefixMatch !== undefined;
    // No match at all stands for one of the prefix `/` (the kind's default).
    const onePrefix = matches.length === 0 || (matches.length === 1 && (matches[0]!.path?.type ?? 'PathPrefix') === 'PathPrefix');
    if (replaces && !onePrefix)
      report(
        BAD,
        'error',
        [...path, 'filters', index],
        `replacePrefixMatch of ${type} needs exactly one match, of type PathPrefix: split the rule`,
      );
  }
  for (const [index, { filters: own = [] }] of backendRefs.entries()) checkFilters(own, [...path, 'backendRefs', index, 'filters'], report);
  for (const [index, { kind = 'Service', group = '', port }] of backendRefs.entries()) {
    if (kind === 'Service' && group === '' && port === undefined)
      report(MISSING, 'error', [...path, 'backendRefs', index], 'a Service needs a port: which one is called');
  }
}

function checkMatch({ path, method, headers = [], queryParams = [] }: Match, at: Path, report: Report): void {
  if (path !== undefined) checkPath(path, [...at, 'path', 'value'], report);
  for (const [field, entries] of Object.entries({ headers, queryParams })) {
    for (const [index, { type, value }] of entries.entries())
      if (type === 'RegularExpression') checkRegex(value, [...at, field, index, 'value'], report, MAX_VALUE_LENGTH);
  }
  if (typeof method !== 'object') return;
  if (method.service === undefined && method.method === undefined)
    report(MISSING, 'error', [...at, 'method'], 'one or both of service or method must be given');
  if (method.type !== 'RegularExpression') return;
  checkRegex(method.service, [...at, 'method', 'service'], report);
  checkRegex(method.method, [...at, 'method', 'method'], report);
}

/** What servers read differently must not stand in a path that is compared as it is. */
function checkPath({ type = 'PathPrefix', value = '/' }: PathMatch, path: Path, report: Report): void {
  if (type === 'RegularExpression') {
    checkRegex(value, path, report);
    return;
  }
  if (!value.startsWith('/')) report(BAD, 'error', path, `"${value}" must begin with /`);
  const bad =
    ['//', '/./', '/../', '%2f', '%2F', '#'].find((part) => value.includes(part)) ?? ['/..', '/.'].find((end) => value.endsWith(end));
  if (bad !== undefined) report(BAD, 'error', path, `"${value}" must not hold "${bad}": requests never match it`);
}

const FIELDS: Readonly<Record<string, string>> = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  CORS: 'cors',
};

function checkFilters(filters: readonly Filter[], path: Path, report: Report): void {
  const seen = new Set<string>();
  for (const [index, filter] of filters.entries()) {
    const { type, requestMirror, requestRedirect, urlRewrite } = filter;
    const at = [...path, index];
    const wanted = FIELDS[type];
    if (wanted !== undefined && !(wanted in filter)) report(MISSING, 'error', at, `${wanted} must be given for filter type ${type}`);
    for (const field of Object.values(FIELDS)) {
      if (field !== wanted && field in filter) report(BAD, 'error', [...at, field], `${field} belongs to another filter type than ${type}`);
    }
    if (type !== 'RequestMirror' && seen.has(type)) report(BAD, 'error', at, `filter ${type} stands twice in this rule: join the two`);
    seen.add(type);
    checkModifier(
      (requestRedirect ?? urlRewrite)?.path,
      [...at, requestRedirect === undefined ? 'urlRewrite' : 'requestRedirect', 'path'],
      report,
    );
    const { percent, fraction } = requestMirror ?? {};
    if (percent !== undefined && fraction !== undefined)
      report(BAD, 'error', [...at, 'requestMirror'], 'percent and fraction exclude each other: leave one out');
    if ((percent ?? 0) > 100) report(BAD, 'error', [...at, 'requestMirror', 'percent'], `${percent} is above 100`);
    if ((fraction?.numerator ?? 0) > (fraction?.denominator ?? 100) || fraction?.denominator === 0)
      report(BAD, 'error', [...at, 'requestMirror', 'fraction'], 'the numerator must not be above the denominator, and that not 0');
  }
}

function checkModifier(modifier: PathModifier | undefined, path: Path, report: Report): void {
  if (modifier === undefined) return;
  const { type, replaceFullPath, replacePrefixMatch } = modifier;
  if (type === undefined) report(MISSING, 'error', path, 'type must be given: ReplaceFullPath or ReplacePrefixMatch');
  if (
    (type === 'ReplaceFullPath') !== (replaceFullPath !== undefined) ||
    (type === 'ReplacePrefixMatch') !== (replacePrefixMatch !== undefined)
  )
    report(
      BAD,
      'error',
      path,
      `the value of type ${type} stands in ${type === 'ReplaceFullPath' ? 'replaceFullPath' : 'replacePrefixMatch'}`,
    );
}
