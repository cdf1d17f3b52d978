import type { Server } from 'node:http';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import type { ClientTls } from '../../packages/server/src/testing/raw-client.ts';
import { ACCESS_SETS, CallerIssuer } from '../security/corpus/access.ts';
import { createApp, type Seen } from '../security/corpus/apps.ts';
import { sendStream } from '../security/corpus/h2-client.ts';
import { type Expected, get, type Mode, type Row } from '../security/corpus/row.ts';
import { POLICY, ROWS } from '../security/corpus/rows.ts';
import { MODES, sendBytes } from '../security/corpus/run.ts';
import { type Answer, judge } from '../security/corpus/verdict.ts';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { PodPort } from './envoy/pod-port.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { workloadIdentity } from './mesh/workload-identity.ts';
import { documents, service, workloadEntry } from './mesh/yaml.ts';
import { until } from './until.ts';
import { OTHERWISE, type Otherwise } from './verdicts/corpus-otherwise.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: the attack corpus on a real Envoy: ${envoy.missing}`);

const FORMS = ['HTTP/1.1', 'HTTP/2'] as const;
type Form = (typeof FORMS)[number];

interface Difference extends Pick<Otherwise, 'envoy'> {
  readonly row: Row;
  readonly form: Form;
  readonly what: string;
}

/** Entries of the table that were met. */
const met = new Set<Otherwise>();

/** Differences that the table does not explain. */
function unexplained(differences: readonly Difference[]): string[] {
  return differences.flatMap(({ row, form, envoy: does, what }) => {
    const entry = OTHERWISE.find(
      ({ id, rows, form: only = form, envoy: said }) =>
        id === row.id && only === form && said === does && rows.some((name) => row.name.startsWith(name)),
    );
    if (entry !== undefined) met.add(entry);
    return entry === undefined ? [`${row.id} ${row.name.slice(0, 90)} [${form}]: an Envoy ${does}: ${what}`] : [];
  });
}

const NO_ANSWER_MS = 2_000;

/** A real Envoy as the sidecar of the corpus's app on node:http, under the corpus's policies. */
class Sidecar implements AsyncDisposable {
  readonly mesh: TestMesh;
  readonly port: number;
  private readonly seen: Seen[];
  private readonly parts: AsyncDisposableStack;

  static async start(binary: string, yaml: string): Promise<Sidecar> {
    await using parts = new AsyncDisposableStack();
    const seen: Seen[] = [];
    const app = (await createApp('node:http', (request) => seen.push(request))) as Server;
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    parts.defer(() => {
      app.closeAllConnections();
      app.close();
    });
    const pod = parts.use(await PodPort.open());
    const { port } = pod;
    const mesh = parts.use(
      await TestMesh.start(
        documents(
          yaml.replaceAll('9080', String(port)).replaceAll('9081', '9082'),
          service('app', { targetPort: port }),
          workloadEntry({ name: 'app', app: 'app', version: 'v1', port, serviceAccount: 'app' }),
        ),
      ),
    );
    const options = { role: 'sidecar', variant: 'delta', name: 'app', serviceAccount: 'app', labels: { app: 'app' } } as const;
    const sidecar = parts.use(await MeshEnvoy.start(binary, mesh, options));
    pod.serve({ appPort: (app.address() as { port: number }).port, inboundPort: await sidecar.inboundPort() });
    const started = new Sidecar(mesh, port, seen, parts.move());
    await until('the sidecar answers', async () => (await sendBytes(port, get('/open'), undefined)).status > 0);
    return started;
  }

  private constructor(mesh: TestMesh, port: number, seen: Seen[], parts: AsyncDisposableStack) {
    this.mesh = mesh;
    this.port = port;
    this.seen = seen;
    this.parts = parts;
  }

  /** What an Envoy does where that is not what the row says, twice: what a row before it left behind may come to the app late. */
  async otherwise(row: Row, form: Form, tls: ClientTls | undefined): Promise<Difference | undefined> {
    return (await this.once(row, form, tls)) && (await this.once(row, form, tls));
  }

  private async once(row: Row, form: Form, tls: ClientTls | undefined): Promise<Difference | undefined> {
    this.seen.splice(0);
    const sent =
      form === 'HTTP/1.1' ? sendBytes(this.port, row.bytes!, tls, row.toItsEnd) : sendStream(this.port, row.fields!, row.body, tls);
    const answer = await Promise.race([sent, later<Answer>(NO_ANSWER_MS, { status: 0, body: 'no answer' })]);
    const expected = expectedOf(row, form, tls);
    const finding = judge(expected, answer, this.seen);
    if (finding === undefined) return undefined;
    const refusesToo = typeof expected !== 'object' && this.seen.length === 0;
    return { row, form, envoy: refusesToo ? 'answers' : this.seen.length > 0 ? 'serves' : 'refuses', what: finding.what };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.parts.disposeAsync();
  }
}

function later<T>(ms: number, value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(resolve, ms, value));
}

function expectedOf(row: Row, form: Form, tls: ClientTls | undefined): Expected {
  const ours = tls === undefined ? row.expected : (row.mutual ?? row.expected);
  return form === 'HTTP/2' ? (row.stream ?? ours) : ours;
}

const SIDE_BY_SIDE = 5;

/** Rows one after the other, by plaintext and mTLS, in every form that they have. */
async function throughSidecar(binary: string, yaml: string, rows: readonly Row[]): Promise<Difference[]> {
  await using sidecar = await Sidecar.start(binary, yaml);
  const identity = await workloadIdentity(sidecar.mesh, 'caller');
  const { certificateChainPem: cert, privateKeyPem: key } = identity.current()!;
  identity.close();
  const differences: Difference[] = [];
  for (const tls of [undefined, { cert, key, ALPNProtocols: ['istio-http/1.1', 'istio'] }]) {
    for (const row of rows) {
      for (const form of FORMS) {
        if ((form === 'HTTP/1.1' ? row.bytes : row.fields) === undefined) continue;
        const difference = await sidecar.otherwise(row, form, tls);
        if (difference !== undefined) differences.push(difference);
      }
    }
  }
  return differences;
}

describe.skipIf('missing' in envoy)('the attack corpus on a real Envoy', () => {
  const binary = 'missing' in envoy ? '' : envoy.path;

  it.each(MODES)(
    'at the HTTP door comes to what the corpus says, or is explained: pathNormalization %s',
    async (mode: Mode) => {
      const yaml = `pathNormalization: { normalization: ${mode} }\n---\n${POLICY}`;
      const asked = ROWS.filter((row) => (row.mode ?? 'BASE') === mode);
      // Side by side: an Envoy takes a second to close a connection that it refused.
      const parts = Array.from({ length: SIDE_BY_SIDE }, (_, part) => asked.filter((_row, at) => at % SIDE_BY_SIDE === part));
      const differences = (await Promise.all(parts.map((rows) => throughSidecar(binary, yaml, rows)))).flat();
      expect(unexplained(differences)).toEqual([]);
    },
    900_000,
  );

  it('with identities, tokens and certificates comes to what the corpus says, or is explained', async () => {
    const differences: Difference[] = [];
    for (const [policy, rows] of ACCESS_SETS) {
      await using sidecar = await Sidecar.start(binary, policy);
      const issuer = new CallerIssuer(join(sidecar.mesh.folder, 'state'));
      for (const row of rows) {
        const tls = row.caller === 'plaintext' ? undefined : issuer.tlsOf(row.caller);
        for (const form of FORMS) {
          const difference = await sidecar.otherwise(row, form, tls);
          if (difference !== undefined) differences.push(difference);
        }
      }
    }
    expect(unexplained(differences)).toEqual([]);
  }, 600_000);

  it('is explained by nothing that is not so, and where it is refused, all that Ripstop lets pass is what nghttp2 took away', () => {
    expect(OTHERWISE.filter((entry) => entry.sometimes !== true && !met.has(entry))).toEqual([]);
    expect(OTHERWISE.filter(({ envoy: does, why }) => does === 'refuses' && why !== 'nghttp2')).toEqual([]);
  });
});
