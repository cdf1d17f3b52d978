import { publicKeysOf } from '../jwks.ts';
import type { JWTRule, RequestAuthenticationSpec } from '../types/security.ts';
import type { Path, Report } from '../validate.ts';
import { checkTargets } from './policy-targets.ts';

const HEADER_NAME = /^[-_A-Za-z0-9]+$/;

/** Rules of istiod's validation beside those of the CRD. */
export function checkRequestAuthentication(spec: RequestAuthenticationSpec, report: Report): void {
  checkTargets(spec, report);
  for (const [index, rule] of (spec.jwtRules ?? []).entries()) checkRule(rule, ['spec', 'jwtRules', index], report);
}

function checkRule(rule: JWTRule, path: Path, report: Report): void {
  const { jwks, fromHeaders, outputPayloadToHeader } = rule;
  for (const [index, { name }] of (fromHeaders ?? []).entries())
    if (!HEADER_NAME.test(name)) badHeader(name, [...path, 'fromHeaders', index, 'name'], report);
  if (outputPayloadToHeader !== undefined && outputPayloadToHeader !== '' && !HEADER_NAME.test(outputPayloadToHeader))
    badHeader(outputPayloadToHeader, [...path, 'outputPayloadToHeader'], report);
  for (const field of ['jwksUri', 'jwks_uri'] as const) {
    const problem = rule[field] === undefined ? undefined : urlProblem(rule[field]);
    if (problem !== undefined) report('RIPSTOP_BAD_VALUE', 'error', [...path, field], problem);
  }
  if (jwks !== undefined && jwks !== '') checkJwks(jwks, [...path, 'jwks'], report);
}

function badHeader(name: string, path: Path, report: Report): void {
  report('RIPSTOP_BAD_VALUE', 'error', path, `${JSON.stringify(name)} is no name of a header: letters, digits, - and _`);
}

function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'this is no URL: give one with http:// or https://';
  const { username, password } = new URL(text);
  return username === '' && password === '' ? undefined : 'a URL of public keys needs no user and no password: remove them';
}

function checkJwks(text: string, path: Path, report: Report): void {
  try {
    publicKeysOf(text);
  } catch (error) {
    report('RIPSTOP_BAD_VALUE', 'error', path, `this key set cannot be used: ${error instanceof Error ? error.message : error}`);
  }
}
