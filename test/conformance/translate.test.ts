import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ProxyNode, PushContext, parseNodes, resourcesOfNode, translate } from '@ripstop/control-plane';
import { parseDocuments } from '@ripstop/istio-api';
import { describe, expect, it } from 'vitest';
import { KNOWN, type KnownDifference } from './known-differences.ts';
import { RESOURCE_LISTS, resourceDifferences } from './resource-differences.ts';

const root = process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance');
const cases = join(root, 'istiod-xds');
const present = existsSync(cases);
if (!present) console.log(`skipped: recorded xDS of a real istiod (no ${cases})`);

function inputOf(name: string): PushContext {
  const dir = join(cases, name, 'input');
  const objects = readdirSync(dir)
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) => parseDocuments(readFileSync(join(dir, file), 'utf8'), { file }).objects);
  return new PushContext({ objects, workloads: [] });
}

function nodesOf(name: string): { node: ProxyNode; file: string }[] {
  const file = join(cases, name, 'input/nodes.json');
  return parseNodes(readFileSync(file, 'utf8'), file).map(({ name: recorded, node }) => ({
    node,
    file: join(cases, name, 'expected', `${recorded}.json`),
  }));
}

describe.skipIf(!present)('translation gives what a real istiod sends', () => {
  const hit = new Set<KnownDifference>();
  for (const name of present
    ? readdirSync(cases)
        .filter((entry) => !entry.includes('.'))
        .sort()
    : []) {
    const push = inputOf(name);
    for (const { node, file } of nodesOf(name)) {
      const recorded = basename(file, '.json');
      if (node.dialect === 'grpc')
        it(`${name}, ${recorded}: asks for what the recorded client asked for`, () => {
          const dump = JSON.parse(readFileSync(file, 'utf8')) as Record<string, readonly Record<string, unknown>[]>;
          const resources = resourcesOfNode(node, push);
          for (const { list } of RESOURCE_LISTS) {
            const asked = resources[list].map((resource) => resource.name).sort();
            expect(asked).toEqual((dump[list] ?? []).map((json) => json[list === 'endpoints' ? 'cluster_name' : 'name']).sort());
          }
        });
      it.each(RESOURCE_LISTS)(`${name}, ${recorded}: $list`, (kind) => {
        const { list, typeUrl } = kind;
        const dump = JSON.parse(readFileSync(file, 'utf8')) as Record<string, readonly Record<string, unknown>[]>;
        const expected = (dump[list] ?? []).map(kind.read);
        const wanted = expected.map(kind.nameOf);
        const actual = translate(typeUrl, node, push, wanted).map(({ message }) => message as object);
        const differences = resourceDifferences(kind, actual, expected);
        const unexplained = differences.filter((difference) => {
          const known = KNOWN.find(({ where }) => where.test(`${name}/${recorded} ${list} ${difference.split(': ', 1)[0]}`));
          if (known !== undefined) hit.add(known);
          return known === undefined;
        });
        expect(unexplained).toEqual([]);
      });
    }
  }

  it('differs wherever a known difference says so', () => {
    expect(KNOWN.filter((known) => !hit.has(known)).map(({ where }) => String(where))).toEqual([]);
  });
});
