import { type Exchange, headerValues, queryValue, xxh64 } from '@ripstop/core';
import type { RouteAction_HashPolicy } from '@ripstop/xds-api';
import { checkSubstitution, compileRegex } from './regex.ts';

const MASK = (1n << 64n) - 1n;
type HashOf = (x: Exchange) => bigint | undefined;

/** Envoy's hash policies in order: combined by rotate-left-1 XOR, a terminal one ends the list once there is a hash. */
export function compileHashPolicies(policies: readonly RouteAction_HashPolicy[], ownAddress = ''): ((x: Exchange) => void) | undefined {
  if (policies.length === 0) return undefined;
  const compiled = policies.map((policy) => ({ hash: hashOf(policy, ownAddress), terminal: policy.terminal }));
  return (x) => {
    let hash: bigint | undefined;
    for (const policy of compiled) {
      const next = policy.hash(x);
      if (next !== undefined) hash = hash === undefined ? next : (((hash << 1n) | (hash >> 63n)) & MASK) ^ next;
      if (policy.terminal && hash !== undefined) break;
    }
    x.hash = hash;
  };
}

function hashOf(policy: RouteAction_HashPolicy, ownAddress: string): HashOf {
  const specifier = policy.policySpecifier;
  switch (specifier?.$case) {
    case 'header': {
      const { headerName, regexRewrite } = specifier.value;
      const name = headerName.toLowerCase();
      if (regexRewrite?.pattern !== undefined) checkSubstitution(regexRewrite.pattern.regex, regexRewrite.substitution);
      const rewrite =
        regexRewrite?.pattern === undefined
          ? undefined
          : { regex: compileRegex(regexRewrite.pattern.regex), substitution: regexRewrite.substitution };
      return (x) => {
        const lines = headerValues(x.request, name).map((line) =>
          rewrite === undefined ? line : rewrite.regex.replaceAll(line, rewrite.substitution),
        );
        if (lines.length === 0) return undefined;
        // Several values are sorted and chained through the seed.
        return [...lines].sort().reduce((seed, value) => xxh64(value, seed), 0n);
      };
    }
    case 'queryParameter':
      return (x) => {
        const value = queryValue(x.request.path, specifier.value.name);
        return value === undefined ? undefined : xxh64(value);
      };
    case 'cookie':
      return (x) => {
        const value = cookieValue(x.request.headerLines('cookie'), specifier.value.name);
        return value === undefined ? undefined : xxh64(value);
      };
    case 'connectionProperties':
      return (x) => {
        // The app's own calls come from no socket: behind a sidecar they would come from the address of the pod.
        const address = x.peer.address || ownAddress;
        return specifier.value.sourceIp && address !== '' ? xxh64(address) : undefined;
      };
    default:
      throw new Error(`hash policy ${specifier?.$case ?? 'without a kind'} is not supported`);
  }
}

function cookieValue(lines: readonly string[], name: string): string | undefined {
  for (const pair of lines.flatMap((line) => line.split(';'))) {
    const equals = pair.indexOf('=');
    if (equals !== -1 && pair.slice(0, equals).trim() === name)
      return pair
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1');
  }
  return undefined;
}
