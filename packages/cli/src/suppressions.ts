import { type Finding, MESSAGE_TYPES } from '@ripstop/istio-api';
import { InvalidArgumentError } from 'commander';

/** Findings that are not to be told: a code, for the objects whose `Kind name.namespace` matches. */
export interface Suppression {
  readonly code: string;
  readonly object: RegExp;
}

/** `IST0102=DestinationRule primary-dr.default`, as istioctl takes it; `*` stands for any text. */
export function collectSuppression(text: string, before: readonly Suppression[]): readonly Suppression[] {
  const [code = '', object = '', ...more] = text.split('=');
  if (code === '' || object === '' || more.length > 0)
    throw new InvalidArgumentError('Give <code>=<Kind name.namespace>, for example "IST0118=Service *.default".');
  const pattern = object.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|/-]/g, '\\$&'));
  return [...before, { code, object: new RegExp(`^${pattern.join('.*')}$`) }];
}

export function isSuppressed({ code, object }: Finding, suppressions: readonly Suppression[]): boolean {
  const [kind = '', name = ''] = object.split(' ');
  const slash = name.indexOf('/');
  const called = slash === -1 ? `${kind} ${name}` : `${kind} ${name.slice(slash + 1)}.${name.slice(0, slash)}`;
  return suppressions.some((suppression) => suppression.code === code && suppression.object.test(called));
}

/** Codes that no finding of the analysis has. */
export function unknownCodes(suppressions: readonly Suppression[]): string[] {
  const known = new Set(MESSAGE_TYPES.map(({ code }) => code));
  return suppressions.map(({ code }) => code).filter((code) => !known.has(code) && !code.startsWith('RIPSTOP_'));
}
