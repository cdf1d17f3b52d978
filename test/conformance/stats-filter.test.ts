import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PushContext, parseNodes, translate } from '@ripstop/control-plane';
import { parseDocuments } from '@ripstop/istio-api';
import { fromProtoJson, HttpConnectionManager, IstioStatsConfig, isAny, LISTENER_TYPE_URL, Listener, unpackAny } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';

const root = process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance');
const recorded = join(root, 'istiod-xds/telemetry');
const present = existsSync(recorded);
if (!present) console.log(`skipped: metrics that Telemetry asks for (no ${recorded})`);

/** `istio.stats` of each HTTP chain of a listener, without doubles; of a stock Envoy it is left out, so here the nodes are our own. */
function statsOf(listeners: readonly Listener[]): Record<string, unknown[]> {
  const found: Record<string, unknown[]> = {};
  for (const { name, filterChains } of listeners) {
    const configs = new Set<string>();
    for (const { configType } of filterChains.flatMap(({ filters }) => filters)) {
      const any = configType?.$case === 'typedConfig' ? configType.value : undefined;
      if (!isAny(HttpConnectionManager, any)) continue;
      for (const filter of unpackAny(HttpConnectionManager, any).httpFilters) {
        const config = filter.configType?.$case === 'typedConfig' ? filter.configType.value : undefined;
        if (isAny(IstioStatsConfig, config)) configs.add(JSON.stringify(IstioStatsConfig.toJSON(unpackAny(IstioStatsConfig, config))));
      }
    }
    if (configs.size > 0) found[name] = [...configs].map((config) => JSON.parse(config));
  }
  return found;
}

describe.skipIf(!present)('the metrics of our own nodes', () => {
  const dir = join(recorded, 'input');
  const documents = present ? readdirSync(dir).filter((file) => file.endsWith('.yaml')) : [];
  const objects = documents.flatMap((file) => parseDocuments(readFileSync(join(dir, file), 'utf8'), { file }).objects);
  const nodes = present ? parseNodes(readFileSync(join(dir, 'nodes.json'), 'utf8'), 'nodes.json') : [];

  it.each(nodes.map(({ name, node }) => [name, node] as const))('are what istiod asks of %s', (name, node) => {
    const push = new PushContext({ objects, workloads: [] });
    const ours = translate(LISTENER_TYPE_URL, { ...node, ripstop: true }, push, []).map(({ message }) => message as Listener);
    const dump = JSON.parse(readFileSync(join(recorded, 'expected', `${name}.json`), 'utf8')) as { listeners: Record<string, unknown>[] };
    const theirs = statsOf(dump.listeners.map((json) => fromProtoJson(Listener, json)));
    expect(Object.keys(theirs).length).toBeGreaterThan(1);
    expect(statsOf(ours)).toEqual(theirs);
  });
});
