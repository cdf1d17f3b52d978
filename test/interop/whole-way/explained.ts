import { translationDifferences } from '../istiod/compare-mesh.ts';
import { explanationOf } from '../istiod/explained.ts';
import { Names } from './names.ts';
import { type DrawnRoute, meshRoutes } from './routes.ts';
import type { Translated } from './translated.ts';
import type { Difference } from './trial.ts';

/** Differences that are meant. Each is a line of docs/reference/differences.md, which holds `page`. */
export interface ExplainedDifference {
  readonly page: string;
  /** The lines of a difference that it does not explain. */
  readonly without: (difference: Difference) => readonly string[];
}

export const EXPLAINED: readonly ExplainedDifference[] = [
  {
    page: '`http:` calls to ports that the mesh takes for TCP or does not know',
    // The SDK goes by the name: never to a service that neither the URL nor a route for the URL's host names.
    without: (difference) =>
      isOutbound(difference) && difference.accounts?.envoy === undefined && isCalled(difference) ? [] : difference.lines,
  },
  {
    page: 'an ExternalName Service that leads to another Service',
    without: (difference) => (isOutbound(difference) && isAlias(difference) && elsewhere(difference) ? [] : difference.lines),
  },
  {
    page: 'roots of a BackendTLSPolicy that cannot be had',
    without: (difference) =>
      isOutbound(difference) && difference.accounts?.sdk?.details.includes('CA_certificates_of_the_backend_cannot_be_had') === true
        ? []
        : difference.lines,
  },
  {
    page: 'servers of Gateways that share a TLS port and a host',
    without: ({ lines }) => lines.filter((line) => !/^Envoy refuses .*(has the same|with overlapping) matching rules/s.test(line)),
  },
  {
    page: "`subjectAltNames` of a Gateway's SIMPLE server are left out",
    without: ({ lines }) => lines.filter((line) => !/^Envoy refuses .*SAN-based verification .* without trusted CA/s.test(line)),
  },
  {
    page: 'resolution DYNAMIC_DNS and a port of HTTP2 or GRPC',
    without: ({ lines }) => lines.filter((line) => !/^Envoy refuses .*dynamic_forward_proxy cluster must have auto_sni/s.test(line)),
  },
  {
    page: 'DNS_ROUND_ROBIN with several endpoints',
    without: ({ lines }) => lines.filter((line) => !/^Envoy refuses .*LOGICAL_DNS clusters must have a single/s.test(line)),
  },
  {
    page: 'consistent hash by cookie',
    without: ({ lines, request }) =>
      request?.headers.cookie === undefined
        ? lines.filter((line) => !/^response header set-cookie: Envoy ".*", SDK none$/.test(line))
        : lines,
  },
  {
    page: '`x-forwarded-for` of a mirrored copy',
    without: ({ lines }) => lines.filter((line) => !/^copy, upstream header x-forwarded-for: Envoy "(.+),[\d.]+", SDK "\1"$/.test(line)),
  },
  {
    page: 'gRPC calls that a route leads to a port of HTTP/1.1',
    // Where it goes, and what is asked for there, does not depend on the protocol; whether it is tried again may.
    without: ({ trial, lines, request }) =>
      trial.place === 'grpc' && lines.some((line) => /^upstream.* header \(connection\): Envoy "HTTP\/1 .*, SDK "HTTP\/2 /.test(line))
        ? lines.filter(
            (line) => /^(route|cluster|upstream (method|path))\b/.test(line) || (line.startsWith('upstreams:') && !saysStatus(request)),
          )
        : lines,
  },
  {
    // Of an authorizer's answer, which a provider's `headersToUpstreamOnAllow` lets through.
    page: 'response `server`, `x-envoy-upstream-service-time`',
    without: ({ lines }) => lines.filter((line) => !/^upstream.* header x-envoy-upstream-service-time: Envoy ".*", SDK none$/.test(line)),
  },
  {
    page: '`content-length: 0` of a 204',
    without: ({ lines }) => lines.filter((line) => line !== 'response header content-length: Envoy none, SDK "0"'),
  },
];

/** Of such an answer the status stands in the head (HTTP/1.1: retried by it) or behind the message (HTTP/2: too late for that). */
function saysStatus(request: Difference['request']): boolean {
  return request?.answers?.some(({ headers }) => headers?.['grpc-status'] !== undefined) === true;
}

function isOutbound({ trial, request }: Difference): boolean {
  return (trial.place === 'sidecar' || trial.place === 'grpc') && request !== undefined;
}

/** The SDK's cluster is nobody's, of the name that was called, or what a route for that name may choose. */
function isCalled({ trial: { mesh, node }, request, accounts }: Difference): boolean {
  const [, , , service] = accounts?.sdk?.cluster.split('|') ?? [];
  if (service === undefined) return true;
  const namespace = mesh.nodes.find(({ Name }) => Name === node)?.Metadata.NAMESPACE as string;
  const name = new Names(mesh.documents, namespace).whole(request?.host ?? '');
  return covers(service, name) || meshRoutes(mesh.documents).some((route) => wholeHosts(route).some((host) => covers(host, name)));
}

function wholeHosts({ hosts, namespace }: DrawnRoute): string[] {
  return hosts.map((host) => (host.includes('.') || host === '*' ? host : `${host}.${namespace}.svc.cluster.local`));
}

function covers(pattern: string, name: string): boolean {
  return pattern.startsWith('*') ? name.endsWith(pattern.slice(1)) : pattern === name;
}

function isAlias({ trial: { mesh, node }, request }: Difference): boolean {
  const namespace = mesh.nodes.find(({ Name }) => Name === node)?.Metadata.NAMESPACE as string;
  return new Names(mesh.documents, namespace).isAlias(request?.host ?? '');
}

function elsewhere({ accounts }: Difference): boolean {
  return accounts?.envoy?.cluster !== accounts?.sdk?.cluster || accounts?.envoy?.route !== accounts?.sdk?.route;
}

/** What nothing explains; counts in `known` what something does. */
export function unexplained(difference: Difference, translated: Translated, known: Map<string, number>): Difference | undefined {
  const count = (name: string): void => void known.set(name, (known.get(name) ?? 0) + 1);
  let left = difference;
  for (const { page, without } of EXPLAINED) {
    const lines = without(left);
    if (lines.length < left.lines.length) count(page);
    left = { ...left, lines };
  }
  if (left.lines.length === 0) return undefined;
  const changing = changingTranslation(difference, translated);
  if (changing !== undefined) count(changing);
  return changing === undefined ? left : undefined;
}

/** istiod did not send this node what it sends at other times: nothing can be said of what runs by it. */
function changingTranslation({ trial }: Difference, { mesh, answer }: Translated): string | undefined {
  const only = { ...mesh, nodes: mesh.nodes.filter(({ Name }) => Name === trial.node) };
  return translationDifferences(only, answer)
    .map((found) => explanationOf(found, mesh))
    .find((name) => name?.startsWith('changing: '));
}
