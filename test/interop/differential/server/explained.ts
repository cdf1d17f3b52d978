import type { ServerProbe, ServerScenario } from './scenario.ts';

/** Differences of servers that are meant. Each is a line of docs/reference/differences.md, which holds `page`. */
export interface ExplainedServerDifference {
  readonly page: string;
  /** The lines of a comparison that it does not explain. */
  readonly without: (lines: string[], probe: ServerProbe, scenario: ServerScenario) => string[];
}

export const EXPLAINED: readonly ExplainedServerDifference[] = [
  {
    page: '`x-envoy-original-path`, `-original-host`, `-decorator-operation`, `-attempt-count`, `-fault-*`',
    without: (lines, { call }) => {
      if (call.as !== undefined || !call.headers.some(([name]) => OF_THE_MESH.test(name))) return lines;
      // Envoy does what the caller's header asks for.
      if (lines.some((line) => /^(details: Envoy fault_filter_abort,|flags: Envoy DI,)/.test(line))) return [];
      return lines.filter((line) => !OF_THE_MESH.test(line.replace(/^upstream(, attempt \d+)? header /, '')) && !line.includes('/mine'));
    },
  },
  {
    page: '`Chain` of `x-forwarded-client-cert`',
    without: (lines) => lines.filter((line) => !/^upstream(, attempt \d+)? header x-forwarded-client-cert: Envoy ".*;Chain=/.test(line)),
  },
  {
    page: 'several lines of a header that is a list',
    without: (lines) => lines.filter((line) => !/^upstream(, attempt \d+)? header (accept|te|via): Envoy ".*", SDK ".* \| .*"$/.test(line)),
  },
  {
    page: 'several lines of `content-type` or `user-agent`',
    without: (lines, { call }) => {
      // Whether it is a gRPC call is read from the first line.
      if (call.headers.filter(([name]) => name.toLowerCase() === 'content-type').length > 1) return [];
      return lines.filter((line) => !/^upstream(, attempt \d+)? header user-agent: Envoy ".*", SDK ".* \| .*"$/.test(line));
    },
  },
  {
    page: "token buckets of one port's plaintext and mTLS chains",
    without: (lines, _probe, { mode }) =>
      mode === 'PERMISSIVE' && lines.some((line) => /^(details: Envoy .*, SDK local_rate_limited|upstream header x-over: .*)$/.test(line))
        ? []
        : lines.filter((line) => mode !== 'PERMISSIVE' || !/header (x-over|x-ratelimit-)/.test(line)),
  },
  {
    page: 'headers that a claim is written to',
    without: (lines) => lines.filter((line) => !/^upstream(, attempt \d+)? header x-(claim|other|payload): /.test(line)),
  },
  {
    page: 'query parameter with an accepted token',
    // Values that are made of the path show it, too.
    without: (lines, { call }) =>
      // A path with a blank is none, and an authorizer refuses it.
      call.path.includes('%20') && lines.some((line) => line.startsWith('details: Envoy ext_authz_denied, SDK'))
        ? []
        : /[?&](access_)?token=/.test(call.path)
          ? lines.filter((line) => !/^upstream(, attempt \d+)? path: |header .*: Envoy ".*token=/.test(line))
          : lines,
  },
  {
    page: '`content-length` that a buffer tells of a body over HTTP/2',
    without: (lines, { call }) =>
      lines.filter(
        (line) => call.protocol !== 'http2' || !/^upstream(, attempt \d+)? header content-length: Envoy "\d+", SDK none$/.test(line),
      ),
  },
  {
    page: 'padding or white space in a section',
    without: (lines) =>
      lines.some((line) => /^details: Envoy jwt_.*invalid_JSON\}, SDK jwt_.*Base64url_encoded\}$/.test(line)) ? [] : lines,
  },
  {
    page: 'several tokens where none is needed, one of them bad',
    without: (lines, { call }) =>
      tokens(call) > 1 && lines.some((line) => /^details: Envoy .*, SDK jwt_authn_access_denied/.test(line)) ? [] : lines,
  },
  {
    page: 'a token that one requirement of a `requires_all` has taken from the request',
    without: (lines, _probe, { filters }) => {
      const missing = lines.some((line) =>
        /^details: Envoy jwt_authn_access_denied\{Jwt_(is_missing|issuer_is_not_configured)\}, SDK/.test(line),
      );
      return missing && JSON.stringify(filters).includes('requiresAll') ? [] : lines;
    },
  },
  {
    page: 'a direct response of 204 with a body',
    without: (lines, _probe, { routes }) =>
      lines.filter((line) => !/^body: Envoy "text", SDK ""$/.test(line) || !JSON.stringify(routes).includes('"status":204')),
  },
  {
    page: '`%PROTOCOL%` of a call with a gRPC content type',
    without: (lines) => lines.filter((line) => !/Envoy ".*HTTP\/1\.1.*", SDK ".*HTTP\/2/.test(line)),
  },
  {
    page: "a header that both an authorizer's denial and the route's operations on responses set",
    without: (lines) =>
      lines.every((line) => /^response header (content-type|x-denied): Envoy "(text\/html|because)"/.test(line)) ? [] : lines,
  },
  {
    // Envoy's filters hold back what is not the end; what comes with the end they pass on, however long it is.
    page: 'a body above the limit of a buffer or of `with_request_body` whose end is there already',
    without: (lines) => (lines.some((line) => /^details: Envoy .*, SDK request_payload_too_large$/.test(line)) ? [] : lines),
  },
  {
    page: 'header mutations of a filter on the 400 of a path that is refused',
    without: (lines, { call }) => (lines.every((line) => line.startsWith('response header')) && /%2f/i.test(call.path) ? [] : lines),
  },
];

function tokens({ path, headers }: ServerProbe['call']): number {
  const inPath = /[?&](access_)?token=/.test(path) ? 1 : 0;
  return inPath + headers.filter(([name]) => /^(authorization|x-token|cookie)$/i.test(name)).length;
}

const OF_THE_MESH = /^x-envoy-(original-path|decorator-operation|attempt-count|fault-)/i;
