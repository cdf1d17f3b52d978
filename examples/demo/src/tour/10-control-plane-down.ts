import { fetchHost } from '../outside.ts';
import { check } from '../report.ts';
import { Background, countBy, failed, formatCounts, once, sleep, until } from '../traffic.ts';
import type { Step } from './step.ts';

export const controlPlaneDown: Step = {
  id: '10',
  title: 'The control plane is killed under traffic and restarted',
  async run(world) {
    world.report.progress('stopping details 2, so that it can start again without a control plane');
    await world.instance('details-v1-2').stop();
    await world.settled();
    const load = new Background(() => world.load.fetch('http://details:9080/details/0'), 150);
    const edge = new Background(() => world.viaGateway('shop.example.com', '/productpage'), 20);
    await sleep(300);
    world.report.progress('SIGKILL to the control plane');
    await world.controlPlane.kill();
    await sleep(500);
    world.report.progress('starting details 2 from its last-known-good configuration');
    const started = performance.now();
    const details = await world.startInstance({ service: 'details', version: 'v1', instance: '2', cached: true });
    const tookMs = performance.now() - started;
    const { address, origin } = await details.ready;
    const alone = await once(() => fetchHost(`http://${address}/details/0`, 'details:9080'));
    world.report.progress('restarting the control plane');
    await world.startControlPlane();
    const joined = await until(
      async () => (await once(() => world.load.fetch('http://details:9080/details/0'))).servedBy === 'details-v1-2',
      15_000,
    );
    await sleep(1000);
    const answers = [...(await load.stop()), ...(await edge.stop())];
    return [
      check(
        '0 failed requests',
        answers.length > 200 && failed(answers).length === 0,
        formatCounts(countBy(answers, (answer) => `${answer.status}${answer.error}`)),
      ),
      check(
        'a service started meanwhile comes up from its last-known-good cache',
        origin === 'cache' && alone.status === 200,
        `configuration from ${origin} after ${tookMs.toFixed(0)} ms, answers ${alone.status}`,
      ),
      check(
        'and joins when the control plane is back',
        joined !== undefined,
        joined === undefined ? 'not within 15 s' : `serves mesh traffic ${(joined / 1000).toFixed(1)} s later`,
      ),
    ];
  },
};
