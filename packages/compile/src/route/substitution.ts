import type { RouteAction } from '@ripstop/xds-api';
import { checkSubstitution, compileRegex } from '../regex.ts';

/** Envoy's RegexMatchAndSubstitute; undefined when there is none. Throws on what RE2 does not take. */
export function substitution(
  message: RouteAction['regexRewrite'],
): { regex: ReturnType<typeof compileRegex>; substitution: string } | undefined {
  if (message?.pattern === undefined) return undefined;
  const regex = compileRegex(message.pattern.regex);
  checkSubstitution(message.pattern.regex, message.substitution);
  return { regex, substitution: message.substitution };
}
