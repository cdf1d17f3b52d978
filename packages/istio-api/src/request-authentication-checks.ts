import { publicKeysOf } from './jwks.ts';
import { checkTargets } from './policy-target-checks.ts';
import type { JWTRule, RequestAuthenticationSpec } from './types/security.ts';
import type { Path, Report } from './validate.ts';

const HEADER_NAME = /^[-_A-Za-z0-9]+$/;

/** Rules of istiod's validation and of the CRD. */
export function checkRequestAuthentication(spec: RequestAuthenticationSpec, report: Report): void {
  checkTargets(spec, report);
  for (const [index, rule] of (spec.jwtRules ?? []).entries()) checkRule(rule, ['spec', 'jwtRules', index], report);
}

function checkRule(rule: JWTRule, path: Path, report: Report): void {
  const { issuer, jwks, fromHeaders, outputPayloadToHeader, outputClaimToHeaders } = rule;
  if (issuer === '')
    report('RIPSTOP_BAD_VALUE', 'error', [...path, 'issuer'], 'an empty issuer would take the tokens of everybody: name it');
  for (const field of ['audiences', 'fromParams', 'fromCookies', 'spaceDelimitedClaims'] as const)
    checkNotEmpty(rule[field] ?? [], [...path, field], report);
  for (const [index, { name }] of (fromHeaders ?? []).entries())
    if (!HEADER_NAME.test(name)) badHeader(name, [...path, 'fromHeaders', index, 'name'], report);
  if (outputPayloadToHeader !== undefined && outputPayloadToHeader !== '' && !HEADER_NAME.test(outputPayloadToHeader))
    badHeader(outputPayloadToHeader, [...path, 'outputPayloadToHeader'], report);
  for (const [index, { header, claim }] of (outputClaimToHeaders ?? []).entries()) {
    if (!HEADER_NAME.test(header)) badHeader(header, [...path, 'outputClaimToHeaders', index, 'header'], report);
    checkNotEmpty([claim], [...path, 'outputClaimToHeaders', index, 'claim'], report);
  }
  for (const field of ['jwksUri', 'jwks_uri'] as const) {
    const problem = rule[field] === undefined ? undefined : urlProblem(rule[field]);
    if (problem !== undefined) report('RIPSTOP_BAD_VALUE', 'error', [...path, field], problem);
  }
  if (jwks !== undefined && jwks !== '') checkJwks(jwks, [...path, 'jwks'], report);
}

function checkNotEmpty(values: readonly string[], path: Path, report: Report): void {
  for (const [index, value] of values.entries())
    if (value === '') report('RIPSTOP_BAD_VALUE', 'error', [...path, index], 'an empty value matches nothing: remove it');
}

function badHeader(name: string, path: Path, report: Report): void {
  report('RIPSTOP_BAD_VALUE', 'error', path, `${JSON.stringify(name)} is no name of a header: letters, digits, - and _`);
}

function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'this is no URL: give one with http:// or https://';
  const { protocol, username, password } = new URL(text);
  if (protocol !== 'http:' && protocol !== 'https:') return `${protocol}// is not fetched: the URL must have scheme http:// or https://`;
  return username === '' && password === '' ? undefined : 'a URL of public keys needs no user and no password: remove them';
}

function checkJwks(text: string, path: Path, report: Report): void {
  try {
    publicKeysOf(text);
  } catch (error) {
    report('RIPSTOP_BAD_VALUE', 'error', path, `this key set cannot be used: ${error instanceof Error ? error.message : error}`);
  }
}
