import type { Table } from '../row.ts';

const SERVED = { status: 200, to: ['served-v1'] } as const;
const plaintext = { url: 'http://served/' };
const asProductpage = { ...plaintext, as: { serviceAccount: 'productpage' } };

function peerAuthentication(mode: string): string {
  return `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: default }
spec: { mtls: { mode: ${mode} } }
`;
}

export const permissive: Table = {
  name: 'PERMISSIVE',
  place: 'server',
  yaml: peerAuthentication('PERMISSIVE'),
  rows: [
    { name: 'plaintext is served', call: plaintext, expect: { ...SERVED, sees: { 'x-forwarded-client-cert': undefined } } },
    { name: 'mTLS is served on the same port, and the app is told who calls', call: asProductpage, expect: SERVED },
    {
      name: 'a caller’s own x-forwarded-client-cert is taken away in plaintext',
      call: { ...plaintext, headers: { 'x-forwarded-client-cert': 'URI=spiffe://x/y' } },
      expect: { ...SERVED, sees: { 'x-forwarded-client-cert': undefined } },
    },
    {
      name: 'a caller’s own x-forwarded-client-cert stands before ours behind mTLS',
      call: { ...asProductpage, headers: { 'x-forwarded-client-cert': 'URI=spiffe://x/y' } },
      expect: SERVED,
    },
    {
      name: 'headers that the app gets',
      call: {
        ...plaintext,
        headers: { 'x-request-id': 'mine', 'x-forwarded-for': '1.2.3.4', 'x-envoy-retry-on': '5xx', 'x-envoy-original-path': '/x' },
      },
      expect: { ...SERVED, sees: { 'x-envoy-retry-on': undefined } },
      differs: {
        because: 'what only a proxy of the mesh has to say is taken from callers without mesh identity',
        lines: ['upstream header x-envoy-original-path: Envoy "/x", SDK none'],
      },
    },
    {
      name: 'headers that the app gets from a member of the mesh',
      call: { ...asProductpage, headers: { 'x-envoy-retry-on': '5xx', 'x-envoy-original-path': '/x', 'x-envoy-attempt-count': '3' } },
      expect: { ...SERVED, sees: { 'x-envoy-retry-on': undefined, 'x-envoy-original-path': '/x', 'x-envoy-attempt-count': '3' } },
    },
    {
      name: 'a response with its headers',
      call: plaintext,
      upstream: [{ status: 418, body: 'teapot', headers: { 'x-app': 'yes', server: 'app/1' } }],
      expect: { status: 418, body: 'teapot' },
    },
    { name: 'HEAD', call: { ...plaintext, method: 'HEAD' }, expect: { status: 200, body: '' } },
    { name: 'a body', call: { ...plaintext, method: 'POST', body: 'hello' }, expect: { ...SERVED, method: 'POST' } },
    {
      name: 'an app that hangs up',
      call: plaintext,
      upstream: [{ hangUp: true }],
      expect: { status: 503, to: ['served-v1'] },
      differs: {
        because: 'there is no second connection between the SDK and its app: what the app closes is the caller’s',
        lines: [
          'status: Envoy 503, SDK 0',
          'body: Envoy "upstream connect error or disconnect/reset before headers. reset reason: connection termination", SDK ""',
          'response header content-length: Envoy "95", SDK none',
          'response header content-type: Envoy "text/plain", SDK none',
          'response header server: Envoy "istio-envoy", SDK none',
        ],
      },
    },
    { name: 'dots in a path', call: { url: 'http://served/a/../b//c' }, expect: { ...SERVED, path: '/b//c' } },
    { name: 'a NUL in a path', call: { url: 'http://served/%00' }, expect: { status: 400, body: '', to: [] } },
  ],
};

export const strict: Table = {
  name: 'STRICT',
  place: 'server',
  yaml: peerAuthentication('STRICT'),
  rows: [
    { name: 'plaintext gets no answer', call: plaintext, expect: { status: 0, to: [] } },
    { name: 'mTLS is served', call: asProductpage, expect: SERVED },
  ],
};

export const disabled: Table = {
  name: 'DISABLE',
  place: 'server',
  yaml: peerAuthentication('DISABLE'),
  rows: [
    { name: 'plaintext is served', call: plaintext, expect: SERVED },
    { name: 'mTLS gets no answer', call: asProductpage, expect: { status: 0, to: [] } },
  ],
};
