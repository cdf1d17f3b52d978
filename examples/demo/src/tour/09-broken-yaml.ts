import { check } from '../report.ts';
import { Background, countBy, failed, formatCounts, many, sleep, until } from '../traffic.ts';
import type { Step } from './step.ts';

const BROKEN = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: { host: reviews, subset: v3 }
          wieght: 100
`;

export const brokenYaml: Step = {
  id: '9',
  title: 'A broken file is saved: said at once, last good stays',
  async run(world) {
    const good = world.saved('reviews.yaml');
    const load = new Background(() => world.load.fetch('http://reviews:9080/plain'), 200);
    const mark = world.controlPlane.output().length;
    world.report.applied('reviews.yaml (with a typing mistake in line 9)', BROKEN);
    // The other document of the file, the DestinationRule, is as it was.
    world.save('reviews.yaml', [BROKEN, ...good.split('---\n').slice(1)].join('---\n'));
    const said = await until(() => /reviews\.yaml:9\b/.test(world.controlPlane.output().slice(mark)), 3000);
    const line =
      world.controlPlane
        .output()
        .slice(mark)
        .split('\n')
        .find((text) => /reviews\.yaml:9\b/.test(text)) ?? 'nothing';
    await sleep(500);
    const jason = await many(20, 2, () => world.load.fetch('http://reviews:9080/plain', { headers: { 'end-user': 'jason' } }));
    const answers = await load.stop();
    world.save('reviews.yaml', good);
    await world.settled();
    const servers = countBy([...answers, ...jason], (answer) => `${answer.status} ${answer.servedBy}`);
    return [
      check('the terminal names file, line and fix', said !== undefined && line.includes('weight'), line.trim()),
      check(
        'the last good configuration stays: jason v2, others v1',
        servers['200 reviews-v2-1'] === 20 && servers['200 reviews-v1-1'] === answers.length,
        formatCounts(servers),
      ),
      check('0 failed requests', answers.length > 50 && failed(answers).length === 0, `${failed(answers).length} of ${answers.length}`),
    ];
  },
};
