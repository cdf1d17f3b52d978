import grpc from '@grpc/grpc-js';
import { LoadStatsRequest, LoadStatsResponse } from '@ripstop/xds-api';
import { afterEach, expect, it } from 'vitest';
import { GrpcServer } from '../server/grpc-server.ts';
import { wireNode } from '../testing/ads-client.ts';
import { LoadReports } from './load-reports.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

it('load reports are asked for, summed up, and forgotten with the client', async () => {
  const reports = new LoadReports();
  const server = new GrpcServer();
  reports.addTo(server.services, undefined);
  const address = await server.bind('127.0.0.1:0');
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  closing.push(
    () => client.close(),
    () => server.forceShutdown(),
  );
  const stream = client.makeBidiStreamRequest(
    '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats',
    (message: LoadStatsRequest) => Buffer.from(LoadStatsRequest.encode(message).finish()),
    (bytes: Buffer) => LoadStatsResponse.decode(bytes),
  );
  stream.on('error', () => {});
  const first = new Promise<LoadStatsResponse>((resolve) => stream.once('data', resolve));
  stream.write(LoadStatsRequest.fromPartial({ node: wireNode('web-1') }));
  expect(await first).toMatchObject({ sendAllClusters: true, loadReportingInterval: { seconds: 10 } });
  const report = (issued: number, inProgress: number) =>
    LoadStatsRequest.fromPartial({
      clusterStats: [
        {
          clusterName: 'outbound|80||cart.default.svc.cluster.local',
          totalDroppedRequests: 1,
          upstreamLocalityStats: [
            {
              totalIssuedRequests: issued,
              totalSuccessfulRequests: issued - 1,
              totalErrorRequests: 1,
              totalRequestsInProgress: inProgress,
            },
          ],
        },
      ],
    });
  stream.write(report(10, 5));
  stream.write(report(20, 2));
  const cluster = 'outbound|80||cart.default.svc.cluster.local';
  await expect.poll(() => reports.all[0]?.clusters).toEqual([{ cluster, issued: 30, success: 28, error: 2, inProgress: 2, dropped: 2 }]);
  expect(reports.all[0]!.id).toContain('web-1.default');
  stream.cancel();
  await expect.poll(() => reports.all).toEqual([]);
});
