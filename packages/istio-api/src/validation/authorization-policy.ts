import type { ObjectMeta } from '../object.ts';
import { CONDITION_KEYS } from '../schema/security.ts';
import type { AuthorizationPolicySpec, Condition, Operation, Rule, Source } from '../types/security.ts';
import type { Path, Report } from '../validate.ts';
import { checkTargets } from './policy-targets.ts';
import { checkAddresses, checkPathTemplates, checkPorts, checkServiceAccounts, checkTexts, checkWildcards } from './policy-values.ts';

/** What an authorizer cannot judge by: the policy is asked before anybody is authenticated. */
const NOT_FOR_CUSTOM = ['namespaces', 'serviceAccounts', 'trustDomains', 'principals', 'requestPrincipals'];
const KEYS_NOT_FOR_CUSTOM = ['source.namespace', 'source.serviceAccount', 'source.trustDomain', 'source.principal'];
const WOULD_NEVER = 'without rules it is never triggered: write rules: [{}] for every request';

/** istiod's rules (ValidateAuthorizationPolicy). */
export function checkAuthorizationPolicy(spec: AuthorizationPolicySpec, meta: ObjectMeta, report: Report): void {
  const { action = 'ALLOW', rules = [], provider } = spec;
  checkTargets(spec, report);
  if ((action === 'DENY' || action === 'CUSTOM') && rules.length === 0)
    report('RIPSTOP_MISSING_FIELD', 'error', ['spec'], `${action}: ${WOULD_NEVER}`);
  if (action === 'CUSTOM' && rules.length > 0 && (provider?.name ?? '') === '')
    report('RIPSTOP_MISSING_FIELD', 'error', ['spec', 'provider'], 'CUSTOM asks an authorizer: give provider.name');
  if (action !== 'CUSTOM' && provider !== undefined)
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      ['spec', 'provider'],
      `a provider is for action CUSTOM, not for ${action}: remove it, or change the action`,
    );
  for (const [index, rule] of rules.entries()) {
    const path = ['spec', 'rules', index];
    checkRule(rule, path, report);
    if (action === 'CUSTOM') checkCustom(rule, path, report);
  }
  checkDryRun(action, meta, report);
}

const DRY_RUN = 'istio.io/dry-run';

function checkDryRun(action: string, { annotations }: ObjectMeta, report: Report): void {
  const value = annotations[DRY_RUN];
  if (value === undefined) return;
  const bad = (message: string): void => report('RIPSTOP_BAD_VALUE', 'error', ['metadata', 'annotations', DRY_RUN], message);
  if (action !== 'ALLOW' && action !== 'DENY') bad(`only ALLOW and DENY can be run dry, not ${action}: remove the annotation`);
  else if (!/^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value)) bad(`${JSON.stringify(value)} is not "true" or "false"`);
}

function checkRule(rule: Rule, path: Path, report: Report): void {
  for (const [index, { source }] of (rule.from ?? []).entries()) checkSource(source ?? {}, [...path, 'from', index, 'source'], report);
  for (const [index, { operation }] of (rule.to ?? []).entries())
    checkOperation(operation ?? {}, [...path, 'to', index, 'operation'], report);
  for (const [index, condition] of (rule.when ?? []).entries()) checkCondition(condition, [...path, 'when', index], report);
}

function isEmpty(value: Source | Operation): boolean {
  return Object.values(value).every((entries: readonly string[]) => entries.length === 0);
}

function checkSource(source: Source, path: Path, report: Report): void {
  if (isEmpty(source))
    report(
      'RIPSTOP_MISSING_FIELD',
      'error',
      path,
      'an empty source matches nothing that can be said: give a field, or leave `from` out for everybody',
    );
  for (const [field, values] of Object.entries(source) as [keyof Source, readonly string[]][]) {
    const at = [...path, field];
    checkTexts(values, at, report);
    if (/ipBlocks$/i.test(field)) checkAddresses(values, at, report);
    if (/serviceAccounts$/i.test(field)) checkServiceAccounts(values, at, report);
    if (/trustDomains$/i.test(field)) checkWildcards(values, true, at, report);
  }
}

function checkOperation(operation: Operation, path: Path, report: Report): void {
  if (isEmpty(operation))
    report(
      'RIPSTOP_MISSING_FIELD',
      'error',
      path,
      'an empty operation matches nothing that can be said: give a field, or leave `to` out for everything',
    );
  for (const field of ['ports', 'notPorts'] as const) checkPorts(operation[field], [...path, field], report);
  for (const field of ['paths', 'notPaths'] as const) checkPathTemplates(operation[field], [...path, field], report);
  for (const [field, values] of Object.entries(operation) as [keyof Operation, readonly string[]][])
    if (!/ports$/i.test(field)) checkTexts(values, [...path, field], report);
}

function checkCondition({ key, values = [], notValues = [] }: Condition, path: Path, report: Report): void {
  if (values.length + notValues.length === 0) report('RIPSTOP_MISSING_FIELD', 'error', path, 'a condition needs values or notValues');
  checkConditionKey(key, [...path, 'key'], report);
  for (const [field, texts] of Object.entries({ values, notValues })) {
    const at = [...path, field];
    if (key === 'destination.port') checkPorts(texts, at, report);
    else checkTexts(texts, at, report);
    if (['source.ip', 'remote.ip', 'destination.ip'].includes(key)) checkAddresses(texts, at, report);
    if (key === 'source.serviceAccount') checkServiceAccounts(texts, at, report);
    if (key === 'source.trustDomain') checkWildcards(texts, false, at, report);
  }
}

function checkConditionKey(key: string, path: Path, report: Report): void {
  if (CONDITION_KEYS.some((known) => key === known || (known.endsWith('[') && isMapKey(key, known)))) return;
  if (/^experimental\.envoy\.filters\.[^[]+\[.+\]$/.test(key))
    report('RIPSTOP_UNSUPPORTED_FIELD', 'error', path, `${JSON.stringify(key)} asks for metadata of an Envoy filter, and there is none`);
  else
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      path,
      `unknown key ${JSON.stringify(key)}: known are ${CONDITION_KEYS.map((known) => (known.endsWith('[') ? `${known}…]` : known)).join(', ')}`,
    );
}

/** `request.headers[x-user]`, with something between the brackets. */
function isMapKey(key: string, known: string): boolean {
  return key.startsWith(known) && key.endsWith(']') && key.length > known.length + 1;
}

function checkCustom(rule: Rule, path: Path, report: Report): void {
  const bad = (at: Path, what: string): void =>
    report(
      'RIPSTOP_BAD_VALUE',
      'error',
      [...path, ...at],
      `CUSTOM cannot be limited by ${what}: it is asked before callers are known; use an ALLOW or DENY beside it`,
    );
  for (const [index, { source }] of (rule.from ?? []).entries()) {
    for (const [field, values] of Object.entries(source ?? {}) as [string, readonly string[]][]) {
      if (values.length > 0 && NOT_FOR_CUSTOM.some((name) => field.toLowerCase().replace(/^not/, '') === name.toLowerCase()))
        bad(['from', index, 'source', field], field);
    }
  }
  for (const [index, { key }] of (rule.when ?? []).entries())
    if (KEYS_NOT_FOR_CUSTOM.includes(key) || key.startsWith('request.auth.')) bad(['when', index, 'key'], key);
}
