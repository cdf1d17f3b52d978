import { isIP } from 'node:net';
import type { Path, Report } from '../validate.ts';

/* Names as istiod's validation takes them (pkg/config/labels, pkg/config/validation/agent). */

const LABEL = '[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?';
const DNS_LABEL = new RegExp(`^${LABEL}$`);
const WILDCARD_LABEL = new RegExp(`^(?:\\*|(?:\\*|\\*-)?${LABEL})$`);
const QUALIFIED = '(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_KEY = new RegExp(`^(${LABEL}(?:\\.${LABEL})*/)?(${QUALIFIED})$`);
const LABEL_VALUE = new RegExp(`^(?:${QUALIFIED})?$`);
const MAX_LABEL = 63;
const MAX_HOST = 255;
const MAX_PREFIX = 253;

/** Whether a text is one label of a DNS name. */
export function isDnsLabel(text: string): boolean {
  return text.length <= MAX_LABEL && DNS_LABEL.test(text);
}

/** What is wrong with a host name; undefined: nothing. */
export function hostProblem(text: string): string | undefined {
  return lengthProblem(text) ?? labelsProblem(text, text);
}

/** What is wrong with a host name whose first label may be `*`, or begin with it; undefined: nothing. */
export function wildcardHostProblem(text: string): string | undefined {
  const tooLong = lengthProblem(text);
  if (tooLong !== undefined) return tooLong;
  const dot = text.indexOf('.');
  const first = dot < 0 ? text : text.slice(0, dot);
  if (first.length > MAX_LABEL || !WILDCARD_LABEL.test(first)) return badLabel(text, first);
  return dot < 0 ? undefined : labelsProblem(text.slice(dot + 1), text);
}

/** Of a host that a gateway makes for TLS that passes through: `outbound_.80_._.reviews.default.svc.cluster.local`. */
export function madeHostProblem(host: string): string | undefined {
  const [prefix, port = '', , name = ''] = host.split('_');
  const right = prefix === 'outbound' && /\d/.test(port) && /[a-zA-Z]/.test(name);
  return right ? undefined : `${JSON.stringify(host)} must have the form outbound_.<port>_._.<host>`;
}

function lengthProblem(text: string): string | undefined {
  if (text === '') return 'a host must not be empty';
  return text.length > MAX_HOST ? `a host has at most ${MAX_HOST} characters, this one has ${text.length}` : undefined;
}

function labelsProblem(labels: string, host: string): string | undefined {
  const parts = labels.split('.');
  const last = parts.at(-1)!;
  if (/^[+-]?\d+$/.test(last)) return `${JSON.stringify(host)} is no host: its last label must not be a number`;
  for (const [index, label] of parts.entries()) {
    // `istio.io.` is a whole name.
    if (index === parts.length - 1 && label === '') return undefined;
    if (!isDnsLabel(label)) return badLabel(host, label);
  }
  return undefined;
}

function badLabel(host: string, label: string): string {
  return `${JSON.stringify(host)} is no host: its label ${JSON.stringify(label)} must be letters, digits and "-", at most ${MAX_LABEL}`;
}

export function isAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** An address, or a range of addresses (`10.0.0.0/8`). */
export function isAddressRange(text: string): boolean {
  const [, address = '', bits = ''] = /^([^/%]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  if (address === '') return isAddress(text);
  const version = isIP(address);
  return version !== 0 && Number(bits) <= (version === 4 ? 32 : 128);
}

export function checkLabels(labels: Readonly<Record<string, string>> | undefined, path: Path, report: Report): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    const [, prefix = '', name = ''] = LABEL_KEY.exec(key) ?? [];
    if (name === '' || name.length > MAX_LABEL || prefix.length > MAX_PREFIX + 1)
      report('RIPSTOP_BAD_VALUE', 'error', [...path, key], `${JSON.stringify(key)} is no key of a label, such as app or example.com/app`);
    if (!LABEL_VALUE.test(value))
      report(
        'RIPSTOP_BAD_VALUE',
        'error',
        [...path, key],
        `${JSON.stringify(value)} is no value of a label: letters, digits, "-", "_" and ".", the first and last a letter or digit`,
      );
  }
}

export function checkPortName(name: string, path: Path, report: Report): void {
  if (!isDnsLabel(name))
    report('RIPSTOP_BAD_VALUE', 'error', path, `${JSON.stringify(name)} is no name of a port: letters, digits and "-", such as http-web`);
}

/** Before the path of a Unix socket, where an address may stand. */
export const UNIX = 'unix://';

/** Whole, or abstract: `@name` (Istio: ValidateUnixAddress). */
export function isSocketPath(path: string): boolean {
  return path.startsWith('@') || (path.startsWith('/') && !path.endsWith('/'));
}
