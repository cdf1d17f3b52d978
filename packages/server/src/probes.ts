import type { IncomingMessage } from 'node:http';
import { hasBody } from './local-response.ts';

/**
 * What only a mesh says, which an app believes, and by what frameworks are told to serve another path or method than the one that stands
 * in the request line: no probe does.
 */
const FOREIGN_HEADER =
  /^(?:x-forwarded-client-cert$|x-envoy-|x-istio-|x-ripstop-|x-original-url$|x-rewrite-url$|x-http-method|x-method-override$)/;

/**
 * Health checks of the platform, which knows no mutual TLS: GET or HEAD of these very paths by plaintext, whatever the port demands of
 * others, past every policy. Istio has its agent ask the app in the kubelet's place (`rewriteAppHTTPProbers`); here is no agent.
 */
export class Probes {
  private readonly paths: ReadonlySet<string>;

  /** Throws on what is no path. */
  constructor(paths: readonly string[]) {
    for (const path of paths)
      if (!/^\/[\w./~-]*$/.test(path))
        throw new Error(`"${path}" cannot be a probe: give the path as the app serves it, for example /healthz`);
    this.paths = new Set(paths);
  }

  /** As it stands in the request line, without its query: no other spelling of it is a probe. */
  has(request: IncomingMessage): boolean {
    const { method, url = '', headers } = request;
    if ((method !== 'GET' && method !== 'HEAD') || hasBody(request) || headers.upgrade !== undefined) return false;
    const query = url.indexOf('?');
    if (!this.paths.has(query === -1 ? url : url.slice(0, query))) return false;
    return !Object.keys(headers).some((name) => FOREIGN_HEADER.test(name.replaceAll('_', '-')));
  }
}
