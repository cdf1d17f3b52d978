import { isIP } from 'node:net';
import type { Path, Report } from '../validate.ts';
import { isAddressRange } from './names.ts';

/* Values of policies, as istiod takes them (pkg/config/security). */

type Values = readonly string[] | undefined;

function each(values: Values, path: Path, report: Report, problemOf: (value: string) => string | undefined): void {
  for (const [index, value] of (values ?? []).entries()) {
    const problem = value === '' ? undefined : problemOf(value);
    if (problem !== undefined) report('RIPSTOP_BAD_VALUE', 'error', [...path, index], `${JSON.stringify(value)} ${problem}`);
  }
}

export function checkTexts(values: Values, path: Path, report: Report): void {
  for (const [index, value] of (values ?? []).entries())
    if (value === '') report('RIPSTOP_BAD_VALUE', 'error', [...path, index], 'an empty value matches nothing: remove it');
}

/** Ports are numbers in text, without wildcards. */
export function checkPorts(values: Values, path: Path, report: Report): void {
  for (const [index, value] of (values ?? []).entries()) {
    if (!/^\d{1,10}$/.test(value) || Number(value) > 65_535)
      report('RIPSTOP_BAD_VALUE', 'error', [...path, index], `${JSON.stringify(value)} is no port: give a number up to 65535, without "*"`);
  }
}

export function checkAddresses(values: Values, path: Path, report: Report): void {
  each(values, path, report, (value) =>
    isAddressRange(value) || isIP(value) !== 0 ? undefined : 'is no IP address and no range of addresses, such as 10.0.0.0/8',
  );
}

/** `account`, of the policy's namespace, or `namespace/account`; no wildcards. */
export function checkServiceAccounts(values: Values, path: Path, report: Report): void {
  each(values, path, report, (value) => {
    if (value.includes('*')) return 'has a wildcard: name the account';
    const parts = value.split('/');
    return parts.length > 2 || parts.includes('') ? 'is no service account: write account or namespace/account' : undefined;
  });
}

/** At most one `*`, at one of the ends. */
export function checkWildcards(values: Values, ofDomains: boolean, path: Path, report: Report): void {
  each(values, path, report, (value) => {
    if (ofDomains && value.includes('/')) return 'is no trust domain: it has no "/"';
    const stars = value.split('*').length - 1;
    const atAnEnd = value.startsWith('*') || value.endsWith('*');
    return stars > 1 || (stars === 1 && !atAnEnd) ? 'has a wildcard in the middle, or two: give one, at one of its ends' : undefined;
  });
}

const ONE = '{*}';
const ANY = '{**}';
/** What may stand between the slashes of a path (RFC 3986: pchar). */
const LITERAL = /^[a-zA-Z0-9-._~%!$&'()+,;:@=]+$/;

/** `{*}` is one segment, `{**}` the rest of the path and so the last. */
export function checkPathTemplates(values: Values, path: Path, report: Report): void {
  each(values, path, report, (value) => {
    const template = value.includes(ONE) || value.includes(ANY);
    if (template && !value.startsWith('/')) return 'is a path template, and must begin with /';
    let ended = false;
    for (const segment of value.replace(/^\/+|\/+$/g, '').split('/')) {
      if (segment === ONE || segment === ANY) {
        if (ended) return 'goes on behind {**}, which stands for the rest of the path';
        ended = segment === ANY;
      } else if (/[{}]/.test(segment)) return 'has braces that are no path template: {*} and {**} are';
      else if (template && !LITERAL.test(segment)) return `has the segment ${JSON.stringify(segment)}, which no path has`;
    }
    return undefined;
  });
}
