import type { Cluster, Endpoint, HealthCheckSpec, HealthProbe } from '@ripstop/core';
import type { Connected, ConnectTarget, UpstreamProtocol } from '../mtls-connector.ts';
import { GrpcQuestion } from './grpc-question.ts';
import { HttpQuestion } from './http-question.ts';
import { HttpSession } from './http-session.ts';
import { TcpSession } from './tcp-session.ts';

/** Opens a connection to a host, with its transport and identity. */
export type OpenConnection = (protocol: UpstreamProtocol, done: Connected) => void;

/** Carries active health checks out, over connections of their own. */
export function createHealthProbe(connect: (target: ConnectTarget, done: Connected) => void, onError: (error: Error) => void): HealthProbe {
  return (spec, endpoint, cluster) => {
    const open: OpenConnection = (protocol, done) => connect(targetOf(spec, endpoint, cluster, protocol), done);
    const { check, reuseConnection } = spec;
    const hostname = endpoint.checkHostname || '';
    switch (check.kind) {
      case 'tcp':
        return new TcpSession(check, open);
      case 'grpc': {
        const question = new GrpcQuestion(check.service, check.authority || hostname || cluster.name);
        return new HttpSession({ question, protocol: 'http2', reuse: reuseConnection, open, cluster, onError });
      }
      default: {
        const question = new HttpQuestion(check, check.host || hostname || cluster.name);
        return new HttpSession({ question, protocol: check.http2 ? 'http2' : 'http1', reuse: reuseConnection, open, cluster, onError });
      }
    }
  };
}

function targetOf(spec: HealthCheckSpec, endpoint: Endpoint, cluster: Cluster, protocol: UpstreamProtocol): ConnectTarget {
  return {
    address: endpoint.address,
    otherAddresses: endpoint.otherAddresses,
    port: endpoint.checkPort || spec.port || endpoint.port,
    transport: endpoint.transport,
    connection: cluster.connection,
    protocol,
    authorityHost: '',
  };
}
