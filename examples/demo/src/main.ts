import { parseArgs } from 'node:util';
import { check, Report } from './report.ts';
import { TOUR } from './tour/index.ts';
import { type InstanceSpec, World } from './world.ts';

const SHOP: readonly InstanceSpec[] = [
  { service: 'my-service', version: 'v1' },
  { service: 'my-service', version: 'v2' },
  { service: 'productpage', version: 'v1' },
  { service: 'productpage', version: 'v2' },
  { service: 'details', version: 'v1' },
  { service: 'details', version: 'v1', instance: '2', cached: true },
  { service: 'reviews', version: 'v1' },
  { service: 'reviews', version: 'v2' },
  { service: 'reviews', version: 'v3' },
  { service: 'ratings', version: 'v1' },
  { service: 'ratings', version: 'v1', instance: '2' },
];

const USAGE = 'usage: npm run demo -- [--once] [--json] [--steps 1,2,…] [--kill NAME@STEP]\n';

/** `--kill gateway@3`: SIGKILL a process at the beginning of a step, to see the tour notice. */
interface Sabotage {
  readonly name: string;
  readonly step: string;
}

function options(): { once: boolean; json: boolean; steps: ReadonlySet<string> | undefined; sabotage: Sabotage | undefined } {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean' },
        json: { type: 'boolean' },
        steps: { type: 'string' },
        kill: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const [name, step] = values.kill?.split('@') ?? [];
    if (values.kill !== undefined && (!name || !step)) throw new Error(`--kill ${values.kill}: give NAME@STEP, for example gateway@3`);
    return {
      once: values.once ?? !process.stdout.isTTY,
      json: values.json ?? false,
      steps: values.steps === undefined ? undefined : new Set(values.steps.split(',')),
      sabotage: name !== undefined && step !== undefined ? { name, step } : undefined,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exit(2);
  }
}

async function sabotage(world: World, { name }: Sabotage): Promise<void> {
  const target = name === 'gateway' ? world.gateway : name === 'control-plane' ? world.controlPlane : world.instance(name);
  world.report.progress(`SIGKILL to ${name}, as asked`);
  target.child.kill('SIGKILL');
  await new Promise<void>((resolve) => target.child.once('exit', () => resolve()));
}

async function main(): Promise<number> {
  const asked = options();
  const report = new Report(asked.json);
  const started = performance.now();
  const world = await World.create(report);
  let interrupted = false;
  const stop = (): void => {
    if (interrupted) process.exit(130);
    interrupted = true;
    report.line('\nstopping everything …');
    world.stop().then(
      () => process.exit(130),
      () => process.exit(130),
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('exit', () => world.processes.killAllNow());

  try {
    report.line('Ripstop: a mesh on one machine, each step an assertion on counted requests');
    await world.start(SHOP);
    report.line(`   ready after ${((performance.now() - started) / 1000).toFixed(1)} s; live page ${world.pageUrl}`);
    for (const step of TOUR) {
      if (asked.steps !== undefined && !asked.steps.has(step.id)) continue;
      report.begin(step.id, step.title);
      if (asked.sabotage?.step === step.id) await sabotage(world, asked.sabotage);
      try {
        const checks = await step.run(world);
        const died = world.processes.unexpectedExits.splice(0);
        report.end(
          step.id,
          step.title,
          died.length === 0 ? checks : [...checks, check('every process lives', false, `ended by itself: ${died.join(', ')}`)],
        );
      } catch (error) {
        report.end(step.id, step.title, [
          check('the step runs to its end', false, error instanceof Error ? (error.stack ?? error.message) : String(error)),
        ]);
      }
    }
    report.table();
    report.line(`   ${((performance.now() - started) / 1000).toFixed(0)} s`);
    if (!asked.once) {
      report.line(
        `\n   The mesh stays up: ${world.pageUrl}   gateway http://${world.gatewayAddress}   YAML ${world.meshDir}\n   Ctrl-C ends it.`,
      );
      await new Promise(() => setInterval(() => {}, 1 << 30));
    }
  } finally {
    await world.stop();
  }
  if (asked.json) process.stdout.write(`${JSON.stringify({ steps: report.steps, ok: report.ok })}\n`);
  return report.ok ? 0 : 1;
}

process.exitCode = await main();
// The demo's own meshes may hold keep-alive sockets of peers that were killed.
setTimeout(() => process.exit(), 500).unref();
