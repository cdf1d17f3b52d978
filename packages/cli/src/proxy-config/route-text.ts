import { at, type Json, textIn } from './json.ts';

/** Which paths a route takes, in istioctl's words: `/api*`, `/login`, `PathPrefix:/r`, `regex …`. Headers are left out, as there. */
export function matchText(match: Json): string {
  const [prefix, separated, path] = ['prefix', 'path_separated_prefix', 'path'].map((field) => textIn(match, field));
  const regex = textIn(at(match, 'safe_regex'), 'regex');
  if (prefix !== '') return `${prefix}*`;
  if (separated !== '') return `PathPrefix:${separated}`;
  if (path !== '') return path!;
  return regex === '' ? '' : `regex ${regex}`;
}

/** The first two domains without a port, and how many more. */
export function domainsText(domains: readonly string[]): string {
  if (domains.length <= 1) return domains.join('');
  const bare = domains.filter((domain) => !/:\d+$/.test(domain) && !domain.endsWith('.'));
  return bare.length > 2 ? `${bare.slice(0, 2).join(', ')} + ${bare.length - 2} more...` : bare.join(', ');
}
