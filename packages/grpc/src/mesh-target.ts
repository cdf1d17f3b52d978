/** A client's target, taken apart: the port selects the listener, the authority the virtual host. */
export interface MeshTarget {
  readonly authority: string;
  readonly port: number;
}

/** `mesh:` is ours; the others are what clients of a mesh or of plain gRPC are written with. */
const TARGET = /^(?:(?:mesh|ripstop|xds|dns|passthrough):(?:\/\/[^/]*\/)?)?(\[[^\]]+\]|[^:/[\]]+):(\d{1,5})$/;
const IP_TARGET = /^ipv[46]:(?:\/\/\/)?(\[[^\]]+\]|[\d.]+):(\d{1,5})$/;

/** Takes `mesh:///greeter:50051`, `ripstop:///…`, `xds:///…`, `dns:///…` or `greeter:50051`. A port is needed: services are found by it. */
export function parseMeshTarget(target: string): MeshTarget {
  const match = TARGET.exec(target) ?? IP_TARGET.exec(target);
  const port = Number(match?.[2] ?? 0);
  if (match === null || port < 1 || port > 65_535) {
    throw new Error(
      `gRPC target "${target}" has no host and port: write it as mesh:///<service>:<port>, for example mesh:///greeter.default:50051 [RIPSTOP_GRPC_TARGET]`,
    );
  }
  return { authority: `${match[1]}:${port}`, port };
}

/** The target of a service, for a client made with the mesh's channel options. */
export function meshTarget(service: string, port: number): string {
  return `mesh:///${service}:${port}`;
}
