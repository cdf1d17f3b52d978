import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyze, type Finding, formatFinding, parseDocuments, validateObject } from './index.ts';

const root = process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../../shared/conformance');
const present = existsSync(root);
if (!present) console.log(`skipped: Istio's samples (no ${root})`);

function findings(text: string, file = 'a.yaml'): Finding[] {
  const { objects, findings: problems } = parseDocuments(text, { file });
  return [...problems, ...objects.flatMap(validateObject)];
}

const VS = (http: string): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
${http}`;

describe('a document', () => {
  it.each([
    [
      'an unknown field, with the one that was meant',
      VS('    - route:\n        - destination: { host: reviews }\n          wieght: 3'),
      'a.yaml:9 VirtualService default/reviews spec.http[0].route[0].wieght: unknown field "wieght"; did you mean "weight"? [RIPSTOP_UNKNOWN_FIELD]',
    ],
    [
      'weights of 0',
      VS('    - route:\n        - destination: { host: a }\n        - destination: { host: b }'),
      'a.yaml:7 VirtualService default/reviews spec.http[0].route: weights add up to 0; give at least one destination a weight [RIPSTOP_WEIGHT_SUM]',
    ],
    [
      'a timeout of 0s',
      VS('    - timeout: 0s\n      route: [{ destination: { host: a } }]'),
      'a.yaml:7 VirtualService default/reviews spec.http[0].timeout: "0s" is too short: a duration must be at least 1ms (must be a valid duration greater than 1ms); leave the field out to disable it [RIPSTOP_BAD_DURATION]',
    ],
    [
      'two actions',
      VS('    - route: [{ destination: { host: a } }]\n      redirect: { uri: / }'),
      'a.yaml:8 VirtualService default/reviews spec.http[0].redirect: give only one of route, redirect [RIPSTOP_ONE_OF]',
    ],
    [
      'a port that is none',
      VS('    - route: [{ destination: { host: a, port: { number: 70000 } } }]'),
      'a.yaml:7 VirtualService default/reviews spec.http[0].route[0].destination.port.number: Invalid value: "integer": port must be between 1-65535, not 70000 [RIPSTOP_BAD_VALUE]',
    ],
    [
      'a policy for every port by a wildcard',
      'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec:\n  rules:\n    - to: [{ operation: { ports: ["*"] } }]',
      'a.yaml:6 AuthorizationPolicy default/p spec.rules[0].to[0].operation.ports[0]: "*" is no port: give a number up to 65535, without "*" [RIPSTOP_BAD_VALUE]',
    ],
    [
      'a condition on a port that is none',
      'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec:\n  rules:\n    - when: [{ key: destination.port, notValues: ["99999"] }]',
      'a.yaml:6 AuthorizationPolicy default/p spec.rules[0].when[0].notValues[0]: "99999" is no port: give a number up to 65535, without "*" [RIPSTOP_BAD_VALUE]',
    ],
    [
      'a look-ahead',
      VS('    - match: [{ uri: { regex: "(?=a)b" } }]\n      route: [{ destination: { host: a } }]'),
      'RE2 has no look-ahead',
    ],
    [
      'a pattern that is none',
      VS('    - match: [{ queryParams: { id: { regex: "(a" } } }]\n      route: [{ destination: { host: a } }]'),
      'a.yaml:7 VirtualService default/reviews spec.http[0].match[0].queryParams.id.regex: "(a": missing closing )',
    ],
    [
      'a pattern that repeats too often',
      VS('    - match: [{ withoutHeaders: { x: { regex: "((a{100}){100}){100}" } } }]\n      route: [{ destination: { host: a } }]'),
      'spec.http[0].match[0].withoutHeaders.x.regex: "((a{100}){100}){100}": invalid repeat count',
    ],
    [
      'a pattern longer than Istio takes',
      VS(`    - corsPolicy: { allowOrigins: [{ regex: "${'a'.repeat(1025)}" }] }\n      route: [{ destination: { host: a } }]`),
      'a regular expression has at most 1024 characters, this one 1025',
    ],
    [
      'an unknown version',
      'apiVersion: networking.istio.io/v2\nkind: VirtualService\nmetadata: { name: x }',
      'VirtualService has no version v2: give one of v1, v1beta1, v1alpha3',
    ],
    ['a missing name', 'apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec: {}', 'VirtualService needs metadata.name'],
    ['YAML that does not parse', 'a: [1, 2\nb: 3', 'a.yaml:2'],
  ])('with %s is refused at its line', (_what, text, expected) => {
    expect(findings(text).map(formatFinding).join('\n')).toContain(expected);
  });

  it.each([
    ['an alias', 'stringData: { tls.key: *MHcCAQEEIPrivate }'],
    ['a stray line', 'stringData:\n  tls.key: |\n    -----BEGIN\n  MHcCAQEEIPrivate'],
    ['an open quote', 'stringData: { tls.key: "MHcCAQEEIPrivate }'],
    ['a key in the place of a name', 'MHcCAQEEIPrivate: 1\nMHcCAQEEIPrivate: 2'],
  ])('that is a Secret with %s is refused without a word of it', (_what, body) => {
    const lines = findings(`apiVersion: v1\nkind: Secret\nmetadata: { name: s }\n${body}\n`).map(formatFinding).join('\n');
    expect(lines).toContain('[RIPSTOP_YAML]');
    expect(lines).not.toContain('MHcCAQEEIPrivate');
  });

  it('that is broken hides no other, and kinds of others are left alone', () => {
    const text = `a: b: c\n---\napiVersion: apps/v1\nkind: ControllerRevision\nmetadata: { name: x }\n---\napiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ port: 80 }] }`;
    const parsed = parseDocuments(text, { file: 'a.yaml' });
    expect(parsed.objects.map(({ kind }) => kind)).toEqual(['Service']);
    expect(parsed.findings).toHaveLength(1);
    expect(parsed.findings[0]!.position.line).toBe(1);
  });
});

const HTTPS = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: shop }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"], tls: { mode: SIMPLE, credentialName: shop } }]
---
apiVersion: v1
kind: Service
metadata: { name: edge, namespace: edge }
spec: { selector: { app: edge, istio: ingressgateway }, ports: [{ name: https, port: 443 }] }
`;
const secret = (namespace: string, data: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: { name: shop, namespace: ${namespace} }\nstringData: ${data}\n`;

describe('analysis', () => {
  const policy = (name: string, action: string, rules: string): string =>
    `apiVersion: security.istio.io/v1beta1\nkind: AuthorizationPolicy\nmetadata: { name: ${name}, namespace: default }\nspec: { action: ${action}, rules: ${rules} }\n`;

  it('says that a DENY for everything makes an ALLOW void', () => {
    const { objects } = parseDocuments(`${policy('deny-all', 'DENY', '[{}]')}---\n${policy('allow-any', 'ALLOW', '[{}]')}`, {
      file: 'p.yaml',
    });
    expect(analyze(objects).map(formatFinding)).toEqual([
      'p.yaml:6 AuthorizationPolicy default/allow-any: DENY wins: this ALLOW never takes effect while AuthorizationPolicy default/deny-all (p.yaml:1) denies everything; remove or narrow that one [RIPSTOP_DENY_OVER_ALLOW]',
    ]);
  });

  it.each([
    [
      'is nowhere',
      '',
      'IST0101',
      'Referenced credentialName not found: "shop": write a Secret of that name in the namespace of the gateway, edge',
    ],
    [
      'is in another namespace than the gateway',
      secret('default', '{ tls.crt: x, tls.key: y }'),
      'IST0101',
      'that Secret is in default, and a gateway is given Secrets of its own namespace only: edge',
    ],
    [
      'holds half a pair',
      secret('edge', '{ tls.crt: x }'),
      'IST0161',
      'The credential referenced by the Gateway shop in namespace default is invalid: Secret edge/shop: it needs tls.crt and tls.key',
    ],
    [
      'holds no PEM',
      secret('edge', '{ cert: hidden-value, key: hidden-value }'),
      'IST0161',
      'Secret edge/shop: cert holds no certificate in PEM',
    ],
  ])('names Gateway and Secret when a Secret %s', (_what, document, code, expected) => {
    const { objects } = parseDocuments(`${HTTPS}---\n${document}`, { file: 'g.yaml' });
    const [first, ...others] = analyze(objects).filter((finding) => finding.object === 'Gateway default/shop');
    expect([first?.code, first?.path, others.length]).toEqual([code, 'spec.servers[0].tls.credentialName', 0]);
    expect(first?.message).toContain(expected);
    expect(first?.message).not.toContain('hidden-value');
  });

  it.each([
    [
      'a TLS host twice',
      'port: { number: 443, name: b, protocol: HTTPS }, hosts: ["x/*"], tls: { mode: ISTIO_MUTUAL }',
      'port 443 has the TLS host * already',
      'port 443 has the TLS host * there, too',
    ],
    [
      'plaintext on a TLS port',
      'port: { number: 443, name: b, protocol: HTTP }, hosts: [a.b]',
      'port 443 carries TLS there and HTTP here',
      'port 443 carries TLS here and HTTP there',
    ],
    ['another TLS host', 'port: { number: 443, name: b, protocol: HTTPS }, hosts: [a.b], tls: { mode: ISTIO_MUTUAL }', undefined, ''],
    ['another port', 'port: { number: 80, name: b, protocol: HTTP }, hosts: [a.b]', undefined, ''],
  ])('names both Gateways that want one port: %s', (_what, server, expected, older) => {
    const later = `apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: tee }\nspec: { selector: { istio: ingressgateway }, servers: [{ ${server} }] }\n`;
    const { objects } = parseDocuments(`${later}---\n${HTTPS}`, { file: 'g.yaml' });
    const found = analyze(objects).filter(({ code }) => code === 'IST0145');
    expect(found.map(({ object, message }) => `${object}: ${message}`)).toEqual(
      expected === undefined
        ? []
        : [
            `Gateway default/tee: Conflict with Gateway default/shop: ${expected}; this server is not opened`,
            `Gateway default/shop: Conflict with Gateway default/tee: ${older}; that server is not opened`,
          ],
    );
  });

  it('finds what a VirtualService refers to and is not there, and routes that cannot be reached', () => {
    const text = `${VS('    - route: [{ destination: { host: nowhere } }]\n    - route: [{ destination: { host: reviews, subset: v9 } }]')}\n---\napiVersion: v1\nkind: Service\nmetadata: { name: reviews }`;
    const codes = analyze(parseDocuments(text, { file: 'a.yaml' }).objects).map(({ code, path }) => `${code} ${path}`);
    expect(codes).toEqual([
      'IST0101 spec.http[0].route[0].destination.host',
      'IST0101 spec.http[1].route[0].destination.subset',
      'IST0130 spec.http[1]',
    ]);
  });
});

describe.skipIf(!present)("Istio's own files", () => {
  const walk = (dir: string): string[] =>
    readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? walk(join(dir, entry.name)) : /\.ya?ml$/.test(entry.name) ? [join(dir, entry.name)] : [],
    );
  const bookinfo = present ? walk(join(root, 'samples/bookinfo')).filter((file) => !file.includes('gateway-api')) : [];
  const inputs = present
    ? walk(join(root, 'istiod-xds')).filter((file) => file.includes('/input/') && /seed|bookinfo|precedence|gateway-merge/.test(file))
    : [];

  it.each([...bookinfo, ...inputs].map((file) => file.slice(root.length + 1)))('%s loads without an error', (file) => {
    expect(
      findings(readFileSync(join(root, file), 'utf8'), file)
        .filter(({ severity }) => severity === 'error')
        .map(formatFinding),
    ).toEqual([]);
  });

  it('survive mutation: never a throw, always a finding or an object', () => {
    const texts = bookinfo.map((file) => readFileSync(file, 'utf8'));
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat({ max: 40 }), fc.string({ maxLength: 12 }), (text, at, cut, insert) => {
        const position = at % text.length;
        const mutated = text.slice(0, position) + insert + text.slice(position + cut);
        const { objects } = parseDocuments(mutated, { file: 'fuzz.yaml' });
        for (const object of objects) validateObject(object);
        analyze(objects.filter((object) => validateObject(object).every(({ severity }) => severity !== 'error')));
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});
