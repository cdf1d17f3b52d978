import { type Command, InvalidArgumentError } from 'commander';
import { terminated } from '../control-plane-process.ts';
import { collectLabel, parseAddress, parseName } from '../option-values.ts';
import { environmentOf, type JoinOptions } from './run.ts';

interface GatewayOptions extends JoinOptions {
  readonly bind: string;
  readonly port: Readonly<Record<number, number>>;
}

/** `ripstop gateway`: an ingress gateway for the Gateways whose selector its labels match. */
export function addGatewayCommand(program: Command): void {
  program
    .command('gateway')
    .description('run an ingress gateway: serves the Gateways whose selector matches its labels')
    .option('--service <name>', 'service name', parseName, 'istio-ingressgateway')
    .option('--namespace <namespace>', 'namespace', parseName, 'istio-system')
    .option(
      '--label <name=value>',
      'label for Gateway selectors, may be given several times (default: istio=ingressgateway)',
      collectLabel,
      [],
    )
    .option('--xds <host:port>', 'TLS address of the control plane (default: the one of the state directory)', parseAddress)
    .option('--state-dir <dir>', 'state directory of the control plane', '.ripstop')
    .option('--bind <address>', 'address to listen on, of servers that do not say it themselves', '127.0.0.1')
    .option('--port <listener=bound>', 'bind a listener port elsewhere, for example 8080=8000', parsePort, {})
    .option('--admin <host:port>', 'address of /stats/prometheus', parseAddress, '127.0.0.1:0')
    .action(async (options: GatewayOptions) => {
      const stop = terminated();
      const label = options.label.length === 0 ? ['istio=ingressgateway'] : options.label;
      Object.assign(process.env, await environmentOf({ ...options, label, ports: 'fixed' }));
      // Loaded here: the data plane is a large import that no other command needs.
      const [{ createGateway }, { createMesh }] = await Promise.all([import('@ripstop/gateway'), import('@ripstop/node')]);
      await using mesh = createMesh({ role: 'router' });
      await using gateway = createGateway({ mesh, bindHost: options.bind, ports: options.port });
      await Promise.race([gateway.start(), stop]);
      const addresses = gateway.addresses();
      for (const { name, listenerPort, address, port } of addresses)
        say(listenerPort === 0 ? `listener ${name}` : `listener ${listenerPort} on ${address}:${port}`);
      if (addresses.length === 0) say(`no listener yet: no Gateway selects ${label.join(', ')}`);
      await stop;
    });
}

function say(text: string): void {
  process.stdout.write(`gateway  ${text}\n`);
}

function parsePort(text: string, before: Readonly<Record<number, number>>): Readonly<Record<number, number>> {
  const match = /^(\d+)=(\d+)$/.exec(text);
  if (match === null || Number(match[1]) > 65_535 || Number(match[2]) > 65_535)
    throw new InvalidArgumentError('Give <listener port>=<port to bind>.');
  return { ...before, [Number(match[1])]: Number(match[2]) };
}
