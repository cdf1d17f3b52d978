/** Few words, so that what is configured and what is asked for often meet. */

export const DOMAINS = [
  '*',
  'a.test',
  'b.test',
  '*.test',
  '*.a.test',
  'a.*',
  'a.test:8080',
  'A.TEST',
  'x.a.test',
  '*-a.test',
  '[::1]',
  'b.test.',
] as const;
export const AUTHORITIES = [
  'a.test',
  'b.test',
  'x.a.test',
  'y.x.a.test',
  'a.test:8080',
  'a.test:80',
  'A.Test',
  'a.example',
  'x-a.test',
  '[::1]',
  '[::1]:80',
  'b.test.',
  'nobody',
] as const;
export const PATHS = [
  '/',
  '/a',
  '/a/',
  '/ab',
  '/a/b',
  '/a/b/c',
  '/A',
  '/a%2Fb',
  '/a.b',
  '/b',
  '//a',
  '/a//b',
  '/a/./b',
  '/a/../b',
  '/a;v=1',
  '/%C3%A9',
  '/%61',
] as const;
export const QUERIES = ['', '?', '?q=1', '?q=', '?q', '?q=2&q=1', '?Q=1', '?r=x&q=1', '?q=a%20b', '?a=/b'] as const;
export const REGEXES = ['/a.*', '/[a-c]+', '.*b', '/a/(b|c)(/.*)?', '/.*', '(?i)/A', '/a\\.b', '[^/]*/a/?', '/a|/b', ''] as const;
export const TEMPLATES = ['/a/*', '/*/b', '/a/**', '/{x}/b', '/a/{x=b/*}', '/a/{x=**}'] as const;
export const HEADER_NAMES = ['x-a', 'x-b', 'x-c', 'user-agent', 'content-type', 'cookie', 'accept'] as const;
export const PSEUDO_NAMES = [':method', ':authority', ':path', 'host', ':scheme'] as const;
export const HEADER_VALUES = [
  'v',
  'V',
  'vw',
  '1',
  '10',
  '-1',
  '',
  'v,w',
  'application/grpc',
  'application/grpc+proto',
  'k=1; l=2',
  'a b',
] as const;
export const VALUE_REGEXES = ['v.*', '[0-9]+', '', '.*', 'v|w', '(?i)V', 'v,w'] as const;
export const FORMATS = [
  'v',
  'w',
  '',
  '%REQ(x-a)%',
  '%REQ(x-none)%',
  '100%%',
  '%PROTOCOL%',
  'p-%REQ(:path)%-s',
  '%REQ(x-a?x-b)%',
  '%REQ(:authority)%',
] as const;
export const METHODS = ['GET', 'GET', 'GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'] as const;
export const STATUSES = [200, 200, 200, 201, 204, 301, 304, 404, 409, 429, 500, 502, 503, 504] as const;
