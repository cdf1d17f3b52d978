import { SnapshotCompiler, standardFilters } from '../../packages/compile/src/index.ts';
import { ClusterStates, type Rejection } from '../../packages/core/src/index.ts';

/** A set of resources may take this long, ms of the processor. */
const LIMIT_MS = 1000;

export interface Bytes {
  readonly typeUrl: string;
  readonly name: string;
  readonly body: Uint8Array;
}

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const random = (): number => 0.5;

/**
 * A good set of resources, then one of them changed: the data plane refuses it, with a reason, or makes a snapshot with it. Only a mistake
 * of ours throws. Answers the refusals, of the good ones as well.
 */
export function compileThrough(good: readonly Bytes[], changed: readonly Bytes[], router: boolean): readonly Rejection[] {
  const start = process.cpuUsage();
  const compiler = new SnapshotCompiler({
    clock,
    random,
    filters: standardFilters(),
    clusterStates: new ClusterStates({ clock, random, resolveDns: async () => [] }),
    router,
  });
  const apply = (typeUrl: string, resources: readonly Bytes[], full: boolean): readonly Rejection[] =>
    compiler.apply({
      typeUrl,
      version: '1',
      resources: resources.map(({ name, body }) => ({ name, version: '1', body })),
      removed: [],
      full,
    });
  const byType = Map.groupBy(good, ({ typeUrl }) => typeUrl);
  const rejections = [...byType].flatMap(([typeUrl, resources]) => apply(typeUrl, resources, true));
  if (compiler.build() === undefined) throw new Error(`no snapshot: ${compiler.missing().join()} is missing`);
  const refused = changed.flatMap((resource) => apply(resource.typeUrl, [resource], false));
  for (const { reason, name } of refused) if (reason === '' || name === '') throw new Error('a refusal without a name or a reason');
  // A changed listener may ask for routes that nobody has; a snapshot waits for them.
  if (compiler.build() === undefined && compiler.missing().length === 0) throw new Error('neither a refusal nor a snapshot');
  const { user, system } = process.cpuUsage(start);
  if (user + system > LIMIT_MS * 1000) throw new Error(`it took ${Math.round((user + system) / 1000)} ms`);
  return [...rejections, ...refused];
}
