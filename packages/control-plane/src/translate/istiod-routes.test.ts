import type { RouteAction } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { service } from '../testing/mesh.ts';
import { core, doc, entry, NETWORKING, ROUTER, toldOf } from '../testing/told.ts';

/* Rules that random meshes told apart from istiod's (test/interop/istiod-meshes.test.ts), each by the smallest mesh that shows it. */

describe('routes', () => {
  it('lead to the host of an ExternalName Service by its own name where a newer ServiceEntry has it', () => {
    const target = (time: string): string => {
      const named = (kind: string, group: string, spec: string, created: string): string =>
        `---\n${group}\nkind: ${kind}\nmetadata: { name: db, namespace: default, creationTimestamp: "${created}" }\nspec: ${spec}\n`;
      const { routes } = toldOf(
        named(
          'Service',
          'apiVersion: v1',
          '{ type: ExternalName, externalName: web.other.svc.cluster.local, ports: [{ name: http, port: 80 }] }',
          time,
        ) +
          named(
            'ServiceEntry',
            NETWORKING,
            '{ hosts: [db.default.svc.cluster.local], ports: [{ number: 80, name: http, protocol: HTTP }] }',
            '2026-01-02T00:00:00Z',
          ) +
          doc('VirtualService', 'a', '{ hosts: [shop.example], http: [{ route: [{ destination: { host: db } }] }] }'),
      );
      return JSON.stringify(routes('80')?.virtualHosts.find(({ name }) => name === 'shop.example:80')?.routes[0]?.action);
    };
    expect(target('2026-01-01T00:00:00Z')).toContain('outbound|80||db.default.svc.cluster.local');
    expect(target('2026-01-03T00:00:00Z')).toContain('outbound|80||web.other.svc.cluster.local');
  });

  it.each([
    [', retryIgnorePreviousHosts: true', 1],
    ['', 0],
  ])('to a hashed destination with retries%s try %i other hosts first', (said, count) => {
    const { routes } = toldOf(
      service('web') +
        doc('DestinationRule', 'a', '{ host: web, trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x } } } }') +
        doc(
          'VirtualService',
          'a',
          `{ hosts: [web], http: [{ retries: { attempts: 3${said} }, route: [{ destination: { host: web } }] }] }`,
        ),
    );
    const [route] = routes('80')?.virtualHosts[0]?.routes ?? [];
    const policy = (route?.action as { readonly value: RouteAction } | undefined)?.value.retryPolicy;
    expect([policy?.numRetries, policy?.retryHostPredicate.length]).toEqual([3, count]);
  });

  const routesOf = (spec: string) =>
    toldOf(service('web') + doc('VirtualService', 'web', spec)).routes('80')?.virtualHosts[0]?.routes ?? [];

  it('of a match with a name and a route without one begin with the dot', () => {
    const [route] = routesOf(
      '{ hosts: [web], http: [{ match: [{ name: first, uri: { prefix: /a } }], route: [{ destination: { host: web } }] }] }',
    );
    expect(route?.name).toBe('.first');
  });

  it('of a match that names gateways do not ask who the client is', () => {
    const [route] = routesOf(
      '{ hosts: [web], http: [{ match: [{ gateways: [mesh], sourceNamespace: other }], route: [{ destination: { host: web } }] }] }',
    );
    expect(route).toBeDefined();
  });

  it('are for hosts in small letters, however they are written', () => {
    const virtualService = doc('VirtualService', 'a', '{ hosts: [Shop.Example], http: [{ route: [{ destination: { host: web } }] }] }');
    const { routes } = toldOf(
      service('web') + entry('b', '{ hosts: [API.Example], ports: [{ number: 80, name: http, protocol: HTTP }] }') + virtualService,
    );
    const domains = routes('80')?.virtualHosts.flatMap((host) => host.domains);
    expect(domains).toEqual(expect.arrayContaining(['shop.example', 'api.example']));
    expect(domains?.filter((name) => name !== name.toLowerCase())).toEqual([]);
  });

  it('redirect without the port that the scheme implies', () => {
    const [route] = routesOf('{ hosts: [web], http: [{ redirect: { scheme: https, port: 443 } }] }');
    expect(route?.action).toMatchObject({ $case: 'redirect', value: { portRedirect: 0 } });
  });

  it('rewrite the authority as the rewrite says, before the header', () => {
    const [route] = routesOf(
      '{ hosts: [web], http: [{ route: [{ destination: { host: web } }], rewrite: { authority: a.example }, headers: { request: { set: { ":authority": b.example } } } }] }',
    );
    expect(route?.action).toMatchObject({ value: { hostRewriteSpecifier: { value: 'a.example' } } });
  });

  it('to an ExternalName Service lead to the host that it stands for', () => {
    const { routes } = toldOf(
      service('web') +
        core('Service', 'alias', '{ type: ExternalName, externalName: web.default.svc.cluster.local, ports: [{ name: http, port: 80 }] }') +
        doc('VirtualService', 'web', '{ hosts: [web], http: [{ route: [{ destination: { host: alias } }] }] }'),
    );
    expect(routes('80')?.virtualHosts[0]?.routes[0]?.action).toMatchObject({
      value: { clusterSpecifier: { value: 'outbound|80||web.default.svc.cluster.local' } },
    });
  });

  it.each([
    ['of the namespace that the root asks for', '{ sourceNamespace: default }', '{ sourceNamespace: default }', true],
    ['of no namespace, which is not inside of one', '{ sourceNamespace: default }', '{}', false],
    ['with an empty text, which is inside of nothing', '{ method: { exact: "" } }', '{ method: { exact: GET } }', false],
    ['with a prefix of the root', '{ uri: { prefix: /a } }', '{ uri: { prefix: /a/b } }', true],
  ])('of a delegate are taken for a match %s', (_what, root, leaf, taken) => {
    const { routes } = toldOf(
      service('web') +
        doc('VirtualService', 'web', `{ hosts: [web], http: [{ match: [${root}], delegate: { name: leaf } }] }`) +
        doc('VirtualService', 'leaf', `{ http: [{ match: [${leaf}], route: [{ destination: { host: other } }] }] }`),
    );
    expect(JSON.stringify(routes('80')).includes('other.default')).toBe(taken);
  });

  it('of an ExternalName Service are those of the service that it stands for, where no other is called so', () => {
    const alias = core('Service', 'old', '{ type: ExternalName, externalName: web.default.svc.cluster.local }');
    const taken = entry('a', '{ hosts: [old.default.svc.cluster.local], ports: [{ number: 81, name: http, protocol: HTTP }] }');
    const domains = (yaml: string): string[] =>
      toldOf(yaml)
        .routes('80')!
        .virtualHosts.find(({ name }) => name.startsWith('web.'))!.domains;
    expect(domains(service('web') + alias)).toContain('old.default.svc.cluster.local');
    // On another port it is no other.
    expect(domains(service('web') + alias + taken)).toContain('old.default.svc.cluster.local');
  });

  it('of a gateway lead to the only port of a service, also when that is for UDP', () => {
    const { routes } = toldOf(
      core('Service', 'dns', '{ clusterIP: 10.96.0.9, ports: [{ name: dns, port: 53, protocol: UDP }] }') +
        doc(
          'Gateway',
          'gw',
          '{ selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }',
        ) +
        doc('VirtualService', 'dns', '{ hosts: ["*"], gateways: [gw], http: [{ route: [{ destination: { host: dns } }] }] }'),
      ROUTER,
    );
    expect(JSON.stringify(routes('http.80'))).toContain('outbound|53||dns.default.svc.cluster.local');
  });

  it('of a gateway hold no server that redirects a host which another one has', () => {
    const server = (host: string): string =>
      `{ port: { number: 80, name: http, protocol: HTTP }, hosts: [${host}], tls: { httpsRedirect: true } }`;
    const named = (name: string, host: string): string =>
      doc('Gateway', name, `{ selector: { istio: ingressgateway }, servers: [${server(host)}] }`);
    const { routes } = toldOf(
      named('a', 'shop.example') +
        named('b', 'shop.example') +
        doc('VirtualService', 'v', '{ hosts: ["*"], gateways: [b], http: [{ route: [{ destination: { host: dns } }] }] }'),
      ROUTER,
    );
    expect(routes('http.80')?.virtualHosts.map(({ domains, routes: own }) => [domains, own.length])).toEqual([[['shop.example'], 0]]);
  });

  it('of a delegate are for the gateways that the root means by their short names', () => {
    const { routes } = toldOf(
      doc(
        'Gateway',
        'gw',
        '{ selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }',
      ) +
        doc(
          'VirtualService',
          'root',
          '{ hosts: [a.example], gateways: [gw], http: [{ match: [{ uri: { prefix: /a }, gateways: [gw] }], delegate: { name: leaf, namespace: shop } }] }',
        ) +
        doc('VirtualService', 'leaf', '{ http: [{ route: [{ destination: { host: web } }] }] }', 'shop'),
      ROUTER,
    );
    expect(routes('http.80')?.virtualHosts.flatMap((host) => host.routes.map(({ match }) => match?.pathSpecifier?.value))).toEqual(['/a']);
  });

  it('give the names of an ExternalName Service to the first rule that has them', () => {
    const rule = (name: string, host: string): string =>
      doc('VirtualService', name, `{ hosts: [${host}], http: [{ route: [{ destination: { host: ${name} } }] }] }`);
    const services =
      core('Service', 'real', '{ clusterIP: 10.96.0.9, ports: [{ name: http, port: 80 }] }') +
      core('Service', 'alias', '{ type: ExternalName, externalName: real.default.svc.cluster.local, ports: [{ name: http, port: 80 }] }');
    const hostsOf = (yaml: string): string[] =>
      toldOf(services + yaml)
        .routes('80')!
        .virtualHosts.filter(({ domains }) => domains.includes('alias.default.svc.cluster.local'))
        .map(({ name }) => name);
    expect(hostsOf(rule('a', 'alias') + rule('b', 'real'))).toEqual(['alias.default.svc.cluster.local:80']);
    expect(hostsOf(rule('a', 'real') + rule('b', 'alias'))).toEqual(['real.default.svc.cluster.local:80']);
  });

  it('of a gateway put what takes everything last, whichever VirtualService it comes from', () => {
    const rule = (name: string, match: string): string =>
      doc(
        'VirtualService',
        name,
        `{ hosts: [a.example], gateways: [istio-system/gw], http: [{ ${match} route: [{ destination: { host: ${name} } }] }] }`,
      );
    const { routes } = toldOf(
      doc(
        'Gateway',
        'gw',
        '{ selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }',
        'istio-system',
      ) +
        rule('a', '') +
        rule('b', 'match: [{ uri: { prefix: /b } }],'),
      ROUTER,
    );
    expect(routes('http.80')?.virtualHosts[0]?.routes.map(({ match }) => match?.pathSpecifier?.value)).toEqual(['/b', '/']);
  });
});

describe('a destination without a port at a gateway', () => {
  const gateway =
    doc(
      'Gateway',
      'gw',
      '{ selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }',
    ) + doc('VirtualService', 'a', '{ hosts: ["*"], gateways: [gw], http: [{ route: [{ destination: { host: db.example } }] }] }');
  const named = (namespace: string, number: number, more = ''): string =>
    doc(
      'ServiceEntry',
      `at-${number}`,
      `{ hosts: [db.example], ports: [{ number: ${number}, name: http, protocol: HTTP }]${more} }`,
      namespace,
    );
  const cluster = (yaml: string): string => {
    const action = toldOf(gateway + yaml, ROUTER).routes('http.80')?.virtualHosts[0]?.routes[0]?.action?.value as RouteAction;
    return String(action.clusterSpecifier?.value);
  };

  it("is the only port of the service that the rule's namespace has by that name (Istio: buildNameToServiceMapForHTTPRoutes)", () => {
    expect(cluster(named('aaa', 81))).toBe('outbound|81||db.example');
    expect(cluster(named('aaa', 81) + named('default', 82))).toBe('outbound|82||db.example');
    expect(cluster(named('aaa', 81) + named('default', 82, ", exportTo: ['.']"))).toBe('outbound|81||db.example');
  });
});
