import { documents, service, subsets, workloadEntry } from '../interop/mesh/yaml.ts';

const WORKLOADS = [
  { name: 'echo-v1', app: 'echo', version: 'v1' },
  { name: 'echo-v2', app: 'echo', version: 'v2' },
  { name: 'other-v1', app: 'other', version: 'v1' },
] as const;

/** Apps of a test mesh; `served-v1` is behind the port of the place `server`. */
export const UPSTREAMS: readonly string[] = [...WORKLOADS.map(({ name }) => name), 'served-v1'];

export interface BasePorts {
  /** Of an upstream. */
  readonly port: (name: string) => number;
  /** Workload port of `served`. */
  readonly podPort: number;
}

/** What every table stands on: Services `echo` and `other` on port 80, and `served`, whose port is the pod's. */
export function baseMesh(yaml: string, { port, podPort }: BasePorts): string {
  return documents(
    service('echo'),
    service('other'),
    service('served', { targetPort: podPort }),
    subsets('echo', ['v1', 'v2']),
    ...WORKLOADS.map((workload) => workloadEntry({ ...workload, port: port(workload.name) })),
    yaml.replace(/\$\{port:([\w-]+)\}/g, (_, name: string) => String(port(name))),
  );
}
