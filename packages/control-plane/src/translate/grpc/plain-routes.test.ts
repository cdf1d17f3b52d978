import { HTTPFault, type RouteConfiguration, unpackAny } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { grpcNode } from '../../testing/grpc-node.ts';
import { pushOf, service } from '../../testing/mesh.ts';
import { grpcRoutes } from './routes.ts';

const NAME = 'outbound|80||web.default.svc.cluster.local';
const rules = (http: string): string =>
  `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: web, namespace: default }\nspec: { hosts: [web], http: ${http} }\n`;
const TO_V1 = 'route: [{ destination: { host: web } }]';

function routesOf(http: string, library = 'gRPC Node Pure JS') {
  const notes: string[] = [];
  const push = pushOf(service('web') + rules(http));
  const [resource] = grpcRoutes(grpcNode(library), push, [NAME], (_, text) => notes.push(text));
  const { routes, domains } = (resource!.message as RouteConfiguration).virtualHosts[0]!;
  return { routes, domains, notes };
}

describe('routes of a gRPC client', () => {
  it('are found by host and by host with port', () => {
    const { domains } = routesOf(`[{ ${TO_V1} }]`);
    expect(domains).toEqual(expect.arrayContaining(['web', 'web:80', 'web.default.svc.cluster.local:80']));
  });

  it('carry the timeout in the field that gRPC reads', () => {
    const [route] = routesOf(`[{ timeout: 3s, ${TO_V1} }]`).routes;
    expect(route?.action).toMatchObject({ value: { maxStreamDuration: { maxStreamDuration: { seconds: 3 } }, maxGrpcTimeout: undefined } });
  });

  it.each([
    ['redirect: { uri: /x }', 302],
    ['directResponse: { status: 403 }', 403],
  ])('answer as Envoy would, by a fault, where the library would refuse all: %s', (action, status) => {
    const { routes } = routesOf(`[{ ${action} }]`);
    expect(routes[0]?.action).toMatchObject({ $case: 'route', value: { clusterSpecifier: { value: NAME } } });
    const fault = unpackAny(HTTPFault, routes[0]!.typedPerFilterConfig['envoy.filters.http.fault']!);
    expect(fault.abort).toMatchObject({ errorType: { value: status }, percentage: { numerator: 100 } });
  });

  it('say that an abort without a percentage always strikes', () => {
    const [route] = routesOf(`[{ fault: { abort: { httpStatus: 503 } }, ${TO_V1} }]`).routes;
    const fault = unpackAny(HTTPFault, route!.typedPerFilterConfig['envoy.filters.http.fault']!);
    expect(fault.abort?.percentage).toMatchObject({ numerator: 100 });
  });

  it('carry no settings of filters that the library does not have', () => {
    const [route] = routesOf(`[{ corsPolicy: { allowMethods: [GET] }, ${TO_V1} }]`).routes;
    expect(Object.keys(route!.typedPerFilterConfig)).toEqual([]);
  });

  it.each([
    ['queryParams: { debug: { exact: "1" } }', 'left out: gRPC calls have no query'],
    ['authority: { exact: other }', 'left out: gRPC clients do not see :authority'],
    ['scheme: { exact: http }', 'left out: gRPC clients do not see :scheme'],
    ['method: { exact: GET }', 'left out: gRPC calls are POST'],
  ])('leave out a match that gRPC cannot tell, instead of meeting it always: %s', (match, note) => {
    const { routes, notes } = routesOf(`[{ match: [{ ${match} }], ${TO_V1} }, { name: rest, ${TO_V1} }]`);
    expect(routes.map(({ name }) => name)).toEqual(['rest']);
    expect(notes.join()).toContain(note);
  });

  it('need no match of the method that every gRPC call has', () => {
    const { routes } = routesOf(`[{ match: [{ method: { regex: "P.*" } }], ${TO_V1} }, { ${TO_V1} }]`);
    expect(routes.map(({ match }) => match?.headers)).toEqual([[], []]);
  });

  it('say in two matches that a header must not have a value, since it may be missing', () => {
    const { routes } = routesOf(`[{ match: [{ withoutHeaders: { x-a: { exact: "1" } } }], ${TO_V1} }, { ${TO_V1} }]`);
    expect(
      routes
        .slice(0, 2)
        .map(({ match }) => match?.headers.map(({ headerMatchSpecifier, invertMatch }) => [headerMatchSpecifier?.$case, invertMatch])),
    ).toEqual([[['presentMatch', true]], [['stringMatch', true]]]);
  });

  it('keep the alternatives of a regex together', () => {
    const { routes } = routesOf(`[{ match: [{ uri: { regex: "/a|/b" }, headers: { x: { regex: "(a|b)c" } } }], ${TO_V1} }, { ${TO_V1} }]`);
    expect(routes[0]?.match?.pathSpecifier).toMatchObject({ value: { regex: '(?:/a|/b)' } });
    expect(routes[0]?.match?.headers[0]?.headerMatchSpecifier).toMatchObject({ value: { matchPattern: { value: { regex: '(a|b)c' } } } });
  });

  it('say what the client does not do', () => {
    const http = `[{ rewrite: { uri: / }, headers: { request: { set: { a: b } } }, mirrors: [{ destination: { host: web } }], ${TO_V1} }]`;
    expect(routesOf(http).notes.map((note) => note.replace(/^.*: /, ''))).toEqual([
      'gRPC clients send no mirrored calls',
      'gRPC clients rewrite nothing',
      'gRPC clients leave headers as they are',
    ]);
  });

  it('are istiod’s for a library that does not say its name', () => {
    expect(routesOf('[{ redirect: { uri: /x } }]', '').routes[0]?.action?.$case).toBe('redirect');
  });
});
