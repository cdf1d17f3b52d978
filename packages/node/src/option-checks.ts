import { MeshError } from './errors.ts';
import type { CloseOptions, CreateMeshOptions, ListenOptions } from './mesh.ts';

type OptionType = 'string' | 'number' | 'function' | 'object' | 'array';

/** Every field of an options type, so that a new one cannot be forgotten here. */
type OptionTypes<T> = Readonly<Record<keyof T, OptionType>>;

const MESH: OptionTypes<CreateMeshOptions> = {
  service: 'string',
  version: 'string',
  namespace: 'string',
  serviceAccount: 'string',
  labels: 'object',
  nodeName: 'string',
  trustDomain: 'string',
  xds: 'string',
  ca: 'string',
  token: 'string',
  tokenFile: 'string',
  rootCertificatePem: 'string',
  config: 'string',
  bind: 'string',
  ports: 'string',
  admin: 'string',
  cacheDir: 'string',
  bootTimeoutMs: 'number',
  certificateTtlSeconds: 'number',
  role: 'string',
  pathBinding: 'string',
  headerMatch: 'string',
  localCluster: 'string',
  decisions: 'object',
  log: 'function',
  filters: 'array',
};
const DECISIONS: OptionTypes<NonNullable<CreateMeshOptions['decisions']>> = {
  sample: 'number',
  askers: 'array',
  keep: 'number',
  onDecision: 'function',
};
const LISTEN: OptionTypes<ListenOptions> = { name: 'string', bindPort: 'number', router: 'object', probes: 'array' };
const CLOSE: OptionTypes<CloseOptions> = { drainMs: 'number' };

/**
 * Options as the types say. JavaScript has no types, and a misspelt `pathBinding` or `probes` would count for nothing without a word.
 * Throws RIPSTOP_BAD_SETTING.
 */
export function checkMeshOptions(options: CreateMeshOptions): void {
  check('createMesh', options, MESH);
  if (options.decisions !== undefined) check('createMesh, decisions', options.decisions, DECISIONS);
  const sample = options.decisions?.sample ?? 0;
  if (sample < 0 || sample > 1) refuse(`createMesh, decisions: sample is ${sample}; give a share of requests, from 0 to 1`);
}

/** The same of mesh.listen. */
export function checkListenOptions(workloadPort: number, options: ListenOptions): void {
  if (!Number.isInteger(workloadPort) || workloadPort < 1 || workloadPort > 65_535)
    refuse(`mesh.listen: the workload port is ${shown(workloadPort)}; give the number of the Service's targetPort, 1 to 65535`);
  check('mesh.listen', options, LISTEN);
  const { bindPort = 0 } = options;
  if (!Number.isInteger(bindPort) || bindPort < 0 || bindPort > 65_535)
    refuse(`mesh.listen: bindPort is ${bindPort}; give a port, or 0 for any free one`);
}

/** The same of mesh.close. */
export function checkCloseOptions(options: CloseOptions): void {
  check('mesh.close', options, CLOSE);
}

function check(call: string, options: object, types: Readonly<Record<string, OptionType>>): void {
  if (typeof options !== 'object' || options === null) refuse(`${call}: the options are ${shown(options)}; give an object`);
  for (const [name, value] of Object.entries(options)) {
    const type = types[name];
    if (type === undefined) refuse(`${call} has no option "${name}"; there are ${Object.keys(types).join(', ')}`);
    if (value !== undefined && typeOf(value) !== type) refuse(`${call}: ${name} is ${shown(value)}; give ${article(type!)}`);
  }
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : value === null || Number.isNaN(value) ? String(value) : typeof value;
}

function article(type: OptionType): string {
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** A value in a message; tokens stay out of it. */
function shown(value: unknown): string {
  const type = typeOf(value);
  return type === 'number' ? String(value) : type === 'string' ? 'a string' : type === 'undefined' ? 'missing' : type;
}

function refuse(message: string): never {
  throw new MeshError('RIPSTOP_BAD_SETTING', message);
}
