import { check } from '../report.ts';
import { Background, countBy, failed, formatCounts, until } from '../traffic.ts';
import type { Step } from './step.ts';

const ROTATIONS = 20;

export const certificates: Step = {
  id: '8',
  title: `Certificates: ${ROTATIONS} rotations of every workload under traffic`,
  async run(world) {
    const seen = new Set<string>();
    const inMesh = new Background(async () => {
      const response = await world.productpage.fetch('http://details:9080/details/0');
      const text = await response.clone().text();
      if (response.ok) seen.add((JSON.parse(text) as { callerCertificate: string }).callerCertificate);
      return response;
    }, 150);
    const edge = new Background(() => world.viaGateway('shop.example.com', '/productpage'), 30);
    const started = world.rotations();
    const workloads = world.rotatingWorkloads();
    for (let rotation = 0; rotation < ROTATIONS; rotation++) {
      const known = seen.size;
      await world.rotateAll();
      // Connections follow within a jitter: a peer has seen one of the new ones.
      await until(() => seen.size > known, 3000);
    }
    const answers = [...(await inMesh.stop()), ...(await edge.stop())];
    const rotations = world.rotations() - started;
    return [
      check(
        '0 failed requests',
        answers.length > 300 && failed(answers).length === 0,
        `${formatCounts(countBy(answers, (answer) => `${answer.status}${answer.error}`))}`,
      ),
      check(
        `${ROTATIONS} rotations of each of ${workloads} workloads`,
        rotations >= ROTATIONS * workloads,
        `${rotations} certificates issued`,
      ),
      check(
        "peers see the caller's new certificates",
        seen.size >= ROTATIONS,
        `${seen.size} different certificates of productpage seen by details`,
      ),
    ];
  },
};
