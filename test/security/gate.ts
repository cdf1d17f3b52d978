import { parseArgs } from 'node:util';
import { runAccess } from './corpus/access.ts';
import { runGateway } from './corpus/gateway.ts';
import { runGrpc } from './corpus/grpc.ts';
import { runGrpcDoors, runGrpcFrames } from './corpus/grpc-doors.ts';
import { type Cell, MODES, runDoor } from './corpus/run.ts';

/*
 * The attack corpus: `npm run gate:security -- --json`. Ends with 1 when an attack passed, a verdict was wrong, or the corpus has
 * become smaller than it is said to be.
 */

const MIN_CELLS = 29_000;

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
// Each of its meshes listens for the end of the process.
process.setMaxListeners(50);
const bad: Cell[] = [];
let cells = 0;

for (const mode of MODES) await collect(`HTTP door, pathNormalization ${mode}`, runDoor(mode));
await collect('identities, tokens, certificates', runAccess());
await collect('addresses of callers at a gateway', runGateway());
await collect('gRPC methods', runGrpc());
await collect('gRPC: hand-made frames', runGrpcFrames());
await collect('gRPC: heads, identities, tokens, certificates', runGrpcDoors());

const bypasses = bad.filter(({ finding }) => finding!.kind === 'bypass').length;
const wrong = bad.length - bypasses;
const passed = bad.length === 0 && cells >= MIN_CELLS;
if (values.json) console.log(JSON.stringify({ gate: 'security', cells, bypasses, wrong, minCells: MIN_CELLS, passed }));
process.exitCode = passed ? 0 : 1;

async function collect(title: string, run: AsyncIterable<Cell>): Promise<void> {
  const before = cells;
  const started = performance.now();
  for await (const cell of run) {
    cells++;
    if (cell.finding === undefined) continue;
    bad.push(cell);
    console.log(`${cell.finding.kind}: ${cell.id} ${cell.name.slice(0, 80)} [${cell.where}]: ${cell.finding.what}`);
  }
  console.log(`${title}: ${cells - before} cells, ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
