import { check } from '../report.ts';
import { countBy, formatCounts, many } from '../traffic.ts';
import type { Step } from './step.ts';

const HOST = 'my-service.default.svc.cluster.local';

export const myService: Step = {
  id: '1',
  title: 'Gateway, VirtualService, DestinationRule as they stand',
  async run(world) {
    await world.apply('my-service.yaml');
    await world.gatewayListens();
    const api = await many(200, 8, () => world.viaGateway(HOST, '/api/x'));
    const other = await many(20, 4, () => world.viaGateway(HOST, '/other'));
    const stranger = await many(20, 4, () => world.viaGateway('stranger.example.com', '/api/x'));
    const inMesh = await many(200, 8, () => world.load.fetch(`http://${HOST}/api/x`));
    const byServer = countBy(api, (answer) => `${answer.status} ${answer.servedBy}`);
    const inMeshServers = countBy(inMesh, (answer) => `${answer.status} ${answer.servedBy}`);
    return [
      check('gateway /api/x: 200 from my-service-v1 only', byServer['200 my-service-v1-1'] === 200, formatCounts(byServer)),
      check(
        'gateway /other: 404',
        other.every((answer) => answer.status === 404),
        formatCounts(countBy(other, (answer) => `${answer.status}`)),
      ),
      check(
        'another Host: 404',
        stranger.every((answer) => answer.status === 404),
        formatCounts(countBy(stranger, (answer) => `${answer.status}`)),
      ),
      check(
        'an in-mesh caller is not bound by it: v1 and v2 answer',
        inMesh.every((answer) => answer.status === 200) && Object.keys(inMeshServers).length === 2,
        formatCounts(inMeshServers),
      ),
    ];
  },
};
