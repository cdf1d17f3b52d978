import type { PeerAuthenticationSpec } from '../types/security.ts';
import { limited, names, oneTarget, onlyOne, selector, shortTexts, targetRef, targetRefs, texts } from './common.ts';
import { type Kind, SECURITY } from './kind.ts';
import { bool, choice, duration, list, map, name, noted, object, rule, ruled, text } from './schema.ts';

const mtls = object({ mode: choice('UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT') });
const TARGET_NOTE = 'Gateways of gateway.networking.k8s.io in the namespace of the policy; others are refused: there are no waypoints';

export const peerAuthentication: Kind = {
  ...SECURITY,
  kind: 'PeerAuthentication',
  status: 'used',
  spec: ruled(
    object({
      selector,
      mtls,
      portLevelMtls: ruled(
        { ...map(mtls), minItems: 1 },
        rule('type conversion error from text to a port: a port is a number', (value: object) =>
          Object.keys(value).every((key) => /^-?\d+$/.test(key)),
        ),
        rule('port must be between 1-65535', (value: object) =>
          Object.keys(value).every((key) => Number(key) > 0 && Number(key) <= 65_535),
        ),
      ),
    }),
    rule(
      'portLevelMtls requires selector',
      ({ portLevelMtls, selector: { matchLabels = {} } = {} }: PeerAuthenticationSpec) =>
        portLevelMtls === undefined || Object.keys(matchLabels).length > 0,
      'portLevelMtls',
    ),
  ),
};

const jwksUri = ruled(
  { ...limited(2048), minLength: 1 },
  rule('url must have scheme http:// or https://', (value: string) => /^https?:/i.test(value)),
);

export const requestAuthentication: Kind = {
  ...SECURITY,
  kind: 'RequestAuthentication',
  status: 'used',
  spec: ruled(
    object({
      selector,
      targetRef: noted(targetRef, TARGET_NOTE),
      targetRefs: noted(targetRefs, TARGET_NOTE),
      jwtRules: {
        ...list(
          ruled(
            object(
              {
                issuer: name,
                audiences: names,
                jwksUri: noted(
                  jwksUri,
                  'the control plane fetches it (5 s, 1 MiB, 100 keys, no redirects, no link-local addresses), again every 20 min, and keeps the last good keys for 7 days; without jwks and jwksUri the issuer is asked where its keys are (OpenID Connect discovery)',
                ),
                jwks_uri: noted(jwksUri, 'the older spelling of jwksUri'),
                jwks: noted(text, 'public keys only: RSA from 2048 bits, EC on P-256, P-384 or P-521, Ed25519'),
                fromHeaders: list(object({ name, prefix: text }, ['name'])),
                fromParams: names,
                fromCookies: names,
                outputPayloadToHeader: text,
                outputClaimToHeaders: list(object({ header: { ...name, pattern: /^[-_A-Za-z0-9]+$/ }, claim: name }, ['header', 'claim'])),
                forwardOriginalToken: bool,
                timeout: noted(duration, 'of the fetch; 5 s by default'),
                spaceDelimitedClaims: { ...names, maxItems: 64 },
              },
              ['issuer'],
            ),
            onlyOne('jwks or jwksUri', 'jwksUri', 'jwks_uri', 'jwks'),
          ),
        ),
        maxItems: 4096,
      },
    }),
    oneTarget,
  ),
};

const source = ruled(
  object({
    principals: texts,
    notPrincipals: texts,
    requestPrincipals: texts,
    notRequestPrincipals: texts,
    namespaces: texts,
    notNamespaces: texts,
    serviceAccounts: shortTexts(16, 320),
    notServiceAccounts: shortTexts(16, 320),
    ipBlocks: texts,
    notIpBlocks: texts,
    remoteIpBlocks: noted(texts, 'by the last entry of x-forwarded-for, which any caller can write; at a gateway by the connection'),
    notRemoteIpBlocks: texts,
    trustDomains: texts,
    notTrustDomains: texts,
  }),
  rule('Cannot set serviceAccounts with namespaces or principals', (value: object) => {
    const has = (...fields: readonly string[]): boolean => fields.some((field) => field in value);
    return !has('serviceAccounts', 'notServiceAccounts') || !has('principals', 'notPrincipals', 'namespaces', 'notNamespaces');
  }),
);
const operation = object({
  hosts: texts,
  notHosts: texts,
  ports: texts,
  notPorts: texts,
  methods: texts,
  notMethods: texts,
  paths: texts,
  notPaths: texts,
});

/** Keys of `when`; those that end in `[` go on with a name and `]`. */
export const CONDITION_KEYS: readonly string[] = [
  'request.headers[',
  'source.ip',
  'remote.ip',
  'source.namespace',
  'source.principal',
  'source.serviceAccount',
  'source.trustDomain',
  'request.auth.principal',
  'request.auth.audiences',
  'request.auth.presenter',
  'request.auth.claims[',
  'destination.ip',
  'destination.port',
  'connection.sni',
];

export const authorizationPolicy: Kind = {
  ...SECURITY,
  kind: 'AuthorizationPolicy',
  status: 'used',
  note: 'with the annotation `istio.io/dry-run: "true"` it is judged and not enforced: the verdict is counted (`envoy_http_inbound_0_0_0_0_<port>_rbac{authz_dry_run_action,authz_dry_run_result}`) and in the dynamic metadata of `envoy.filters.http.rbac`; a CUSTOM policy with it denies what it selects, as istiod has it',
  spec: ruled(
    object({
      selector,
      targetRef: noted(targetRef, TARGET_NOTE),
      targetRefs: noted(targetRefs, TARGET_NOTE),
      action: noted(
        choice('ALLOW', 'DENY', 'AUDIT', 'CUSTOM'),
        'CUSTOM asks the external authorizer of the provider; AUDIT denies nothing: what it matches is a line of the log (RIPSTOP_LOG) and `access_log_hint` of `envoy.common` in the dynamic metadata',
      ),
      provider: noted(
        object({ name: text }),
        'an envoyExtAuthzHttp or envoyExtAuthzGrpc of MeshConfig.extensionProviders, for CUSTOM; one per workload',
      ),
      rules: {
        ...list(
          object({
            from: { ...list(object({ source }, ['source'])), maxItems: 512 },
            to: list(object({ operation }, ['operation'])),
            when: list(
              object(
                {
                  key: noted(
                    text,
                    `${CONDITION_KEYS.map((key) => `\`${key.endsWith('[') ? `${key}…]` : key}\``).join(', ')}; other keys are refused`,
                  ),
                  values: texts,
                  notValues: texts,
                },
                ['key'],
              ),
            ),
          }),
        ),
        maxItems: 512,
      },
    }),
    oneTarget,
  ),
};
