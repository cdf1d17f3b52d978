import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Cluster, Endpoint, LoadReport, OutOfBandSpec } from '@ripstop/core';
import { afterEach, describe, expect, it } from 'vitest';
import { forwardTo, MeshDouble, TestCluster, testEndpoint } from '../testing/mesh-double.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

type Serve = (stream: ServerHttp2Stream, body: Buffer, path: string) => void;

async function listen(serve: Serve): Promise<number> {
  const server = createServer();
  server.on('stream', async (stream, headers) => {
    stream.on('error', () => {}); // the client lets go of it
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    serve(stream, Buffer.concat(chunks), String(headers[':path']));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** `cpu_utilization` = 1, `rps_fractional` = 6, framed. */
function frame(cpu: number, rps: number): Buffer {
  const bytes = Buffer.alloc(5 + 18);
  bytes.writeUInt32BE(18, 1);
  bytes[5] = 1 * 8 + 1;
  bytes.writeDoubleLE(cpu, 6);
  bytes[14] = 6 * 8 + 1;
  bytes.writeDoubleLE(rps, 15);
  return bytes;
}

interface Watched {
  readonly reports: LoadReport[];
  readonly ended: Promise<boolean>;
  close(): void;
}

function watch(port: number, spec: Partial<OutOfBandSpec> = {}, arrived: () => void = () => {}): Watched {
  const cluster = new TestCluster('c', [testEndpoint(port)]);
  const mesh = new MeshDouble([cluster], forwardTo(cluster));
  cleanups.push(() => mesh.dispatcher.destroy());
  const reports: LoadReport[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<boolean>();
  const listener = {
    onReport: (report: LoadReport) => {
      reports.push(report);
      arrived();
    },
    onEnd: resolve,
  };
  const full = { periodMs: 2500, port: 0, authority: '', ...spec };
  const stream = mesh.dispatcher.loadStreams(full, cluster.endpoints[0] as Endpoint, cluster as Cluster, listener);
  return { reports, ended, close: () => stream.close() };
}

describe('a stream of load reports', () => {
  it('asks for the service and the period, and hears every report, however the bytes come', async () => {
    const seen: unknown[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    let count = 0;
    const port = await listen((stream, body, path) => {
      seen.push(path, body.toString('hex'));
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      const both = Buffer.concat([frame(0.5, 100), frame(0.25, 50)]);
      stream.write(both.subarray(0, 30), () => stream.write(both.subarray(30)));
    });
    const { reports, close } = watch(port, {}, () => ++count === 2 && resolve());
    await promise;
    // Duration of 2 s and 500,000,000 ns.
    expect(seen).toEqual(['/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics', '000000000a0a08080210 80cab5ee01'.replace(' ', '')]);
    expect(reports.map(({ cpuUtilization, rps }) => [cpuUtilization, rps])).toEqual([
      [0.5, 100],
      [0.25, 50],
    ]);
    close();
  });

  it.each<[what: string, serve: Serve, unsupported: boolean]>([
    ['the service is not there', (stream) => stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true }), true],
    ['the path is not there', (stream) => stream.respond({ ':status': 404 }, { endStream: true }), true],
    ['the stream ends', (stream) => stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { endStream: true }), false],
    ['the connection breaks', (stream) => stream.session!.destroy(), false],
    [
      'a report cannot be read',
      (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
        stream.write(Buffer.from([0, 0, 0, 0, 1, 0x09]));
      },
      false,
    ],
  ])('ends when %s', async (_what, serve, unsupported) => {
    expect(await watch(await listen(serve)).ended).toBe(unsupported);
  });

  it('ends where nobody listens', async () => {
    expect(await watch(1).ended).toBe(false);
  });
});
