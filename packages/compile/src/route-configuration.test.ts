import { describe, expect, it } from 'vitest';
import { add, routes, table, to } from './testing/routed.ts';

describe('refused', () => {
  const one = (route: Record<string, unknown>) => () => routes([route]);
  const two = (first: string, second: string) => () =>
    table({ name: 'r', virtual_hosts: [first, second].map((domain, index) => ({ name: `v${index}`, domains: [domain] })) });
  const template = (path_template: string) => {
    const type = 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig';
    return one({ match: { path_match_policy: { name: 't', typed_config: { '@type': type, path_template } } }, ...to('a') });
  };
  it.each<[why: string, compile: () => unknown]>([
    [
      '"\\\\x" is no group',
      one({ match: { prefix: '/' }, ...to('a', { regex_rewrite: { pattern: { regex: '(a)' }, substitution: '\\x' } }) }),
    ],
    ['the domain A.com stands already in virtual host v0', two('a.com', 'A.com')],
    ['the domain * stands already in virtual host v0', two('*', '*')],
    ['must not end in "/"', one({ match: { path_separated_prefix: '/a/' }, ...to('a') })],
    ['RE2 syntax', one({ match: { safe_regex: { regex: '(?=a)' } }, ...to('a') })],
    ['RE2 syntax', one({ match: { safe_regex: { regex: '(a)\\1' } }, ...to('a') })],
    ['the weights add up to 0', one({ match: { prefix: '/' }, route: { weighted_clusters: { clusters: [{ name: 'a', weight: 0 }] } } })],
    ['a direct response of status 600', one({ match: { prefix: '/' }, direct_response: { status: 600 } })],
    [
      'a direct response of 4097 bytes',
      one({ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'x'.repeat(4097) } } }),
    ],
    [
      'header :path may be neither added nor removed',
      one({ match: { prefix: '/' }, ...to('a'), request_headers_to_add: [add(':path', '/')] }),
    ],
    ['header Host may be neither added nor removed', one({ match: { prefix: '/' }, ...to('a'), request_headers_to_remove: ['Host'] })],
    ['a lone % must be written %%', one({ match: { prefix: '/' }, ...to('a'), request_headers_to_add: [add('x', '100%')] })],
    ['the operator %NOPE% is not supported', one({ match: { prefix: '/' }, ...to('a'), request_headers_to_add: [add('x', '%NOPE%')] })],
    ['the variable a stands twice', template('/{a}/{a}')],
    ['more than 5 variables', template('/{a}/{b}/{c}/{d}/{e}/{f}')],
    ['mixes text and wildcards', template('/a*')],
    ['must begin with /', template('*')],
  ])('%s', (why, compile) => {
    expect(compile).toThrow(why);
  });
});
