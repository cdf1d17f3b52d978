import type { ServiceDescription, WorkloadDescription } from '@ripstop/control-plane';
import { type Command, Option } from 'commander';
import { askControlPlane, type HttpOptions } from '../control-plane-http.ts';
import { serviceText, workloadText } from '../describe-text.ts';
import { parseAddress, parseTrustDomain } from '../option-values.ts';
import { readSources } from '../read-sources.ts';

interface DescribeOptions extends HttpOptions {
  readonly config?: readonly string[];
  readonly trustDomain: string;
  readonly output: 'text' | 'json';
}

/** `ripstop describe service reviews`: which documents decide about it, with file and line. */
export function addDescribeCommand(program: Command): void {
  const parent = program
    .command('describe')
    .alias('x')
    .description('say which documents decide about a service or a workload, with file and line');
  addKind(parent, 'service', 'svc', 'a service by name, name.namespace or full host').action(
    async (name: string, options: DescribeOptions) => {
      const described =
        options.config === undefined
          ? await askControlPlane<ServiceDescription>(options, `/debug/describe?service=${encodeURIComponent(name)}`)
          : await fromFolder(options, (plane, ...about) => plane.describeServiceNamed(name, ...about));
      print(options, described, serviceText);
    },
  );
  addKind(
    parent,
    'workload',
    'pod',
    'a Pod or a process by name.namespace as proxy-status lists it, or the name of its app where it is the only one',
  ).action(async (name: string, options: DescribeOptions) => {
    const described =
      options.config === undefined
        ? await askControlPlane<WorkloadDescription>(options, `/debug/describe?workload=${encodeURIComponent(name)}`)
        : await fromFolder(options, (plane, ...about) => plane.describeWorkloadNamed(name, ...about));
    print(options, described, workloadText);
  });
}

function addKind(parent: Command, kind: string, alias: string, what: string): Command {
  return parent
    .command(kind)
    .alias(alias)
    .description(`${what}: routes, rules, subsets, mTLS, policies, findings`)
    .argument('<name>', what)
    .option('--config <path...>', 'folders and files of YAML in the place of a running control plane')
    .option('--trust-domain <name>', 'with --config, when no MeshConfig names one', parseTrustDomain, 'cluster.local')
    .option('--http <host:port>', 'HTTP address of the control plane (default: the one noted in the state directory)', parseAddress)
    .option('--state-dir <dir>', 'state directory of the control plane', '.ripstop')
    .addOption(new Option('-o, --output <format>', 'form').choices(['text', 'json']).default('text'));
}

type Plane = typeof import('@ripstop/control-plane');
type About = [push: InstanceType<Plane['PushContext']>, findings: ReturnType<InstanceType<Plane['ObjectStore']>['state']>['findings']];

async function fromFolder<T>({ config = [], trustDomain }: DescribeOptions, describe: (plane: Plane, ...about: About) => T): Promise<T> {
  const plane = await import('@ripstop/control-plane');
  const store = new plane.ObjectStore();
  const { objects, findings } = store.update(await readSources(config)) ?? store.state();
  return describe(plane, new plane.PushContext({ objects, workloads: plane.templateWorkloads(objects), trustDomain }), findings);
}

function print<T>({ output }: DescribeOptions, described: T, text: (described: T) => string): void {
  process.stdout.write(`${output === 'json' ? JSON.stringify(described, undefined, 2) : text(described)}\n`);
}
