import { describe, expect, it } from 'vitest';
import { runAccess } from './corpus/access.ts';
import { FRAMEWORKS, type Framework } from './corpus/apps.ts';
import { runGateway } from './corpus/gateway.ts';
import { runGrpc } from './corpus/grpc.ts';
import { runGrpcDoors, runGrpcFrames } from './corpus/grpc-doors.ts';
import { type Cell, MODES, runDoor } from './corpus/run.ts';

/* The part of `npm run gate:security` that fits here: every row, but not through every app. */

const SOME: readonly Framework[] = ['Express 5', 'http2'];

const OF_PATHS = (id: string): boolean => /^S(?:0\d|1\d|48|49|50)$/.test(id);

/** `at least` so many cells ran, and none had a finding. */
async function expectClean(run: AsyncIterable<Cell>, atLeast: number): Promise<void> {
  let cells = 0;
  const found: string[] = [];
  for await (const { id, name, where, finding } of run) {
    cells++;
    if (finding !== undefined) found.push(`${finding.kind}: ${id} ${name.slice(0, 80)} [${where}]: ${finding.what}`);
  }
  expect(found).toEqual([]);
  expect(cells).toBeGreaterThanOrEqual(atLeast);
}

describe('attacks', { timeout: 60_000 }, () => {
  it.each(MODES)('on the HTTP door come to nothing, pathNormalization %s', async (mode) => {
    await expectClean(runDoor(mode, SOME), 800);
  });

  it.each(FRAMEWORKS.filter((framework) => !SOME.includes(framework)))('reach nobody behind %s', async (framework) => {
    let paths = 0;
    for await (const { id, name, where, finding } of runDoor('BASE', [framework], OF_PATHS)) {
      paths++;
      expect(finding, `${id} ${name} [${where}]`).toBeUndefined();
    }
    expect(paths).toBeGreaterThan(90);
  });

  it('with identities, tokens and certificates come to nothing', async () => {
    await expectClean(runAccess(['node:http']), 250);
  });

  it('with addresses that they do not have come to nothing at a gateway', async () => {
    await expectClean(runGateway(), 2_900);
  });

  it('on gRPC methods come to nothing', async () => {
    await expectClean(runGrpc(), 150);
  });

  it('on the heads of gRPC calls, by identities, tokens and certificates come to nothing', async () => {
    await expectClean(runGrpcDoors(), 600);
  });

  it('by hand-made frames on a gRPC server come to nothing', async () => {
    await expectClean(runGrpcFrames(), 150);
  });
});
