import { selector, targetRef, texts } from './common.ts';
import { type Kind, SECURITY } from './kind.ts';
import { bool, choice, duration, list, map, noted, object, text } from './schema.ts';

const mtls = object({ mode: choice('UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT') });
const TARGET_NOTE = 'Gateways of gateway.networking.k8s.io in the namespace of the policy; others are refused: there are no waypoints';

export const peerAuthentication: Kind = {
  ...SECURITY,
  kind: 'PeerAuthentication',
  status: 'used',
  spec: object({ selector, mtls, portLevelMtls: map(mtls) }),
};

export const requestAuthentication: Kind = {
  ...SECURITY,
  kind: 'RequestAuthentication',
  status: 'used',
  spec: object({
    selector,
    targetRef: noted(targetRef, TARGET_NOTE),
    targetRefs: noted(list(targetRef), TARGET_NOTE),
    jwtRules: list(
      object(
        {
          issuer: text,
          audiences: texts,
          jwksUri: noted(
            text,
            'the control plane fetches it (5 s, 1 MiB, 100 keys, no redirects, no link-local addresses), again every 20 min, and keeps the last good keys for 7 days; without jwks and jwksUri the issuer is asked where its keys are (OpenID Connect discovery)',
          ),
          jwks_uri: noted(text, 'the older spelling of jwksUri'),
          jwks: noted(text, 'public keys only: RSA from 2048 bits, EC on P-256, P-384 or P-521, Ed25519'),
          fromHeaders: list(object({ name: text, prefix: text }, ['name'])),
          fromParams: texts,
          fromCookies: texts,
          outputPayloadToHeader: text,
          outputClaimToHeaders: list(object({ header: text, claim: text }, ['header', 'claim'])),
          forwardOriginalToken: bool,
          timeout: noted(duration, 'of the fetch; 5 s by default'),
          spaceDelimitedClaims: texts,
        },
        ['issuer'],
        [['jwks', 'jwksUri', 'jwks_uri']],
      ),
    ),
  }),
};

const source = object({
  principals: texts,
  notPrincipals: texts,
  requestPrincipals: texts,
  notRequestPrincipals: texts,
  namespaces: texts,
  notNamespaces: texts,
  serviceAccounts: texts,
  notServiceAccounts: texts,
  ipBlocks: texts,
  notIpBlocks: texts,
  remoteIpBlocks: noted(texts, 'by the last entry of x-forwarded-for, which any caller can write; at a gateway by the connection'),
  notRemoteIpBlocks: texts,
  trustDomains: texts,
  notTrustDomains: texts,
});
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
  note: 'with the annotation `istio.io/dry-run: "true"` it is judged and not enforced',
  spec: object({
    selector,
    targetRef: noted(targetRef, TARGET_NOTE),
    targetRefs: noted(list(targetRef), TARGET_NOTE),
    action: noted(
      choice('ALLOW', 'DENY', 'AUDIT', 'CUSTOM'),
      'CUSTOM is and what its rules select is denied: no external authorizer is asked yet; AUDIT denies nothing and is not logged yet',
    ),
    provider: noted(object({ name: text }), 'belongs to CUSTOM'),
    rules: list(
      object({
        from: list(object({ source }, ['source'])),
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
  }),
};
