import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createControlPlane } from '@ripstop/control-plane';
import { describe, expect, it } from 'vitest';

const file = join(
  process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance'),
  'dashboards/pilot-dashboard.gen.json',
);
const present = existsSync(file);
if (!present) console.log(`skipped: Istio's control plane dashboard (no ${file})`);

/** Of other programs: the container, the Go runtime, istiod's Envoy clients, the sidecar injector. */
const OF_OTHERS = /^(container_|go_|envoy_cluster_upstream_cx_active$|sidecar_injection_)/;

function expressionsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { expr } = value as { expr?: unknown };
  return [...(typeof expr === 'string' ? [expr] : []), ...Object.values(value).flatMap(expressionsOf)];
}

/** Metrics and the labels that a query groups by. */
function queries(): { readonly metric: string; readonly labels: readonly string[] }[] {
  return expressionsOf(JSON.parse(readFileSync(file, 'utf8'))).flatMap((expression) => {
    const [metric] = expression.match(/\b(?:pilot|galley|istio|container|go|envoy|sidecar)_\w+/) ?? [];
    const by = /\bby ?\(([^)]*)\)/.exec(expression)?.[1] ?? '';
    const labels = by.split(',').map((label) => label.trim());
    // `le` is of the bucket; `pod` is set by whoever scrapes.
    return metric === undefined ? [] : [{ metric, labels: labels.filter((label) => label !== '' && label !== 'le' && label !== 'pod') }];
  });
}

describe.skipIf(!present)("Istio's control plane dashboard", () => {
  it('finds every metric that it asks for, with the labels that it groups by', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-dashboard-'));
    writeFileSync(join(dir, 'a.yaml'), 'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ port: 80 }] }\n');
    await using plane = createControlPlane({ source: dir, xds: '', xdsTls: '', http: '' });
    await plane.start();
    const text = plane.metricsText();
    rmSync(dir, { recursive: true });
    const asked = queries().filter(({ metric }) => !OF_OTHERS.test(metric));
    expect(asked.length).toBeGreaterThan(8);
    const missing = asked.filter(({ metric, labels }) => {
      const name = metric.replace(/_bucket$/, '');
      const sample = new RegExp(`^${metric}\\{([^}]*)\\}`, 'm').exec(text)?.[1];
      const declared = new RegExp(`^# TYPE ${name} `, 'm').test(text);
      // Without a sample yet (nobody is connected) its labels are not to be seen.
      return !declared || (sample !== undefined && labels.some((label) => !sample.includes(`${label}="`)));
    });
    expect(missing).toEqual([]);
  });
});
