import { check } from '../report.ts';
import { Background, countBy, failed, formatCounts, sleep, until } from '../traffic.ts';
import type { Step } from './step.ts';

export const endpoints: Step = {
  id: '11',
  title: 'An endpoint is added, another is stopped: it drains',
  async run(world) {
    const load = new Background(() => world.load.fetch('http://ratings:9080/ratings/0'), 200, 8);
    await sleep(300);
    await world.startInstance({ service: 'ratings', version: 'v1', instance: '3' });
    const taken = await until(() => load.answers.some((answer) => answer.servedBy === 'ratings-v1-3'), 5000);
    world.report.progress('SIGTERM to ratings 1');
    const before = load.answers.length;
    const stopped = performance.now();
    await world.instance('ratings-v1-1').stop();
    const tookMs = performance.now() - stopped;
    const code = world.instance('ratings-v1-1').child.exitCode;
    const gone = load.answers.length;
    await sleep(1000);
    const answers = await load.stop();
    const after = countBy(answers.slice(gone), (answer) => answer.servedBy);
    await world.startInstance({ service: 'ratings', version: 'v1', instance: '1' });
    return [
      check(
        'the new endpoint takes traffic',
        taken !== undefined,
        taken === undefined ? 'not within 5 s' : `${taken.toFixed(0)} ms after it was ready`,
      ),
      check(
        'the stopped one drains and leaves by itself',
        code === 0 && (after['ratings-v1-1'] ?? 0) === 0,
        `exit code ${code} after ${tookMs.toFixed(0)} ms, then ${formatCounts(after)}`,
      ),
      check(
        '0 failed requests',
        answers.length > before && failed(answers).length === 0,
        formatCounts(countBy(answers, (answer) => `${answer.status}${answer.error}`)),
      ),
    ];
  },
};
