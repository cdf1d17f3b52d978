import { type ListSchema, list, map, name, object, port, type Rule, rule, ruled, type Schema, type TextSchema, text } from './schema.ts';

export const stringMatch: Schema = object({ exact: text, prefix: text, regex: text }, [], [['exact', 'prefix', 'regex']]);
export const portNumber: Schema = object({ number: port });
export const texts: ListSchema = list(text);
export const shortTexts = (maxItems: number, maxLength: number): Schema => ({ ...list(limited(maxLength)), maxItems });
export const limited = (maxLength: number): TextSchema => ({ type: 'string', support: 'yes', maxLength });
export const text2048: Schema = limited(2048);
export const names: ListSchema = list(name);
/** Labels of a document, at most 256. */
export const labels: Schema = { ...map(text), maxItems: 256 };

const noStar = (message: string): Rule => rule(message, (value: string) => !value.includes('*'));
const keys = (message: string, holds: (key: string) => boolean): Rule =>
  rule(message, (value: Record<string, unknown>) => Object.keys(value).every(holds));

/** WorkloadSelector of security.istio.io and telemetry.istio.io. */
export const selector: Schema = object({
  matchLabels: ruled(
    { ...map(ruled(limited(63), noStar('wildcard not allowed in label value match'))), maxItems: 4096 },
    keys('wildcard not allowed in label key match', (key) => !key.includes('*')),
    keys('key must not be empty', (key) => key !== ''),
  ),
});
/** WorkloadSelector of networking.istio.io. */
export const workloadSelector: Schema = object({
  labels: { ...map(ruled(limited(63), noStar('wildcard is not supported in selector'))), maxItems: 256 },
});

/** What a policy is attached to. */
export const targetRef: Schema = object(
  {
    group: { ...limited(253), pattern: /^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/ },
    kind: { ...limited(63), minLength: 1, pattern: /^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/ },
    name: { ...limited(253), minLength: 1 },
    namespace: ruled(
      text,
      rule('cross namespace referencing is not currently supported', (value: string) => value === ''),
    ),
  },
  ['kind', 'name'],
);
export const targetRefs: Schema = { ...list(targetRef), maxItems: 16 };

/** At most one of some fields; `of` is how the CRD names them. */
export const onlyOne = (of: string, ...fields: readonly string[]): Rule => ({
  ...rule(
    `only one of ${of} can be set: remove the others`,
    (value: Record<string, unknown>) => fields.filter((field) => value[field] !== undefined).length < 2,
    fields.at(-1),
  ),
  ofPresence: true,
});
export const oneTarget: Rule = onlyOne('targetRefs or selector', 'selector', 'targetRef', 'targetRefs');
