import type { ServicePort, ServiceSpec } from '../types/core.ts';
import { isProtocol } from '../validation/protocols.ts';
import type { Analyzer } from './say.ts';

const KUBERNETES: ReadonlySet<string> = new Set(['kubernetes.io/h2c', 'kubernetes.io/ws', 'kubernetes.io/wss']);
/** Of SMTP, DNS, MySQL and MongoDB: taken for TCP. */
const WELL_KNOWN: ReadonlySet<number> = new Set([25, 53, 3306, 27_017]);

/** Names of ports that say no protocol (Istio: PortNameAnalyzer). */
export const analyzeServicePorts: Analyzer = (mesh, say) => {
  for (const object of mesh.all<ServiceSpec>('Service')) {
    const { ports = [], type } = object.spec;
    if (object.metadata.labels['gateway.istio.io/managed'] !== undefined || isControlPlane(object.metadata.labels)) continue;
    for (const [index, port] of ports.entries()) {
      const { name = '' } = port;
      const external = type === 'ExternalName';
      if (saysProtocol(port) && !(name === 'tcp' && external)) continue;
      const advice = 'begin it with http-, http2-, grpc- or another protocol, or give appProtocol';
      const text = `port name "${name}" (port ${port.port}, targetPort ${port.targetPort ?? port.port}) says no protocol of Istio`;
      say(
        object,
        external ? 'IST0150' : 'IST0118',
        ['spec', 'ports', index, 'name'],
        external ? `${text} that an ExternalName can have: ${advice}` : `${text}: ${advice}`,
      );
    }
  }
};

/** Istio: ConvertProtocol. */
function saysProtocol({ name = '', port, protocol, appProtocol }: ServicePort): boolean {
  if (protocol === 'UDP' || WELL_KNOWN.has(port)) return true;
  const said = (appProtocol ?? name).toLowerCase();
  if (appProtocol !== undefined && KUBERNETES.has(appProtocol)) return true;
  if (said.startsWith('grpc-web')) return true;
  return isProtocol(said.split('-')[0]!);
}

/** Istio: IsIstioControlPlane. */
function isControlPlane({ istio, release, app }: Readonly<Record<string, string>>): boolean {
  return istio !== undefined || release === 'istio' || app === 'istiod';
}
