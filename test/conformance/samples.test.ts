import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ObjectStore, PushContext, proxyNodeOf, readFolder, type SourceFile, translate } from '@ripstop/control-plane';
import { formatFinding } from '@ripstop/istio-api';
import { CLUSTER_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';

const samples = join(process.env.RIPSTOP_CONFORMANCE_DIR ?? join(import.meta.dirname, '../../../shared/conformance'), 'samples');
const present = existsSync(samples);
if (!present) console.log(`skipped: Istio's sample manifests (no ${samples})`);

/** True, and no mistake: cert-manager brings this service along; versions that bookinfo.yaml does not deploy have subsets all the same. */
const OTHERS = /cert-manager-resolver.*\[IST0101\]$|\[IST0173\]$/;

/** What a control plane makes of these files: errors as it prints them, and its view of the mesh. */
function load(files: readonly SourceFile[]): { errors: string[]; push: PushContext } {
  const { objects, findings } = new ObjectStore().update(files)!;
  const errors = findings.filter(({ severity }) => severity === 'error').map(formatFinding);
  return { errors, push: new PushContext({ objects, workloads: [] }) };
}

describe.skipIf(!present)("Istio's samples, unchanged", () => {
  const files = present ? readFolder(samples) : [];
  const named = (name: string): SourceFile => files.find((file) => file.name === name)!;

  it.each(files.map((file) => file.name))('%s is read by itself', (name) => {
    // By itself a routing rule may speak of services that another file brings (IST0101).
    expect(load([named(name)]).errors.filter((text) => !text.endsWith('[IST0101]'))).toEqual([]);
  });

  it.each(files.map(({ name }) => name).filter((name) => name.startsWith('bookinfo/networking/')))(
    'the bookinfo application with %s has no error',
    (name) => {
      const { errors } = load([
        named('bookinfo/platform-kube/bookinfo.yaml'),
        named('bookinfo/networking/destination-rule-all.yaml'),
        named(name),
      ]);
      expect(errors.filter((text) => !OTHERS.test(text))).toEqual([]);
    },
  );

  it('the whole bookinfo folder at once is a mesh; what stands in two files is said, and used once', () => {
    const all = files.filter(({ name }) => /^bookinfo\/(networking|platform-kube)\//.test(name));
    const { errors, push } = load(all);
    expect(errors.filter((text) => !OTHERS.test(text))).toEqual([]);
    const node = proxyNodeOf({ id: 'sidecar~10.0.0.1~productpage-v1.default~default.svc.cluster.local', metadata: {} });
    const clusters = translate(CLUSTER_TYPE_URL, node, push, []).map(({ name }) => name);
    expect(clusters).toEqual(
      expect.arrayContaining(['v1', 'v2', 'v3', ''].map((subset) => `outbound|9080|${subset}|reviews.default.svc.cluster.local`)),
    );
  });

  it("findings of all of them together are those of istioctl's analyzers", () => {
    const findings = new ObjectStore()
      .update(files)!
      .findings.filter(({ code, path }) => code.startsWith('IST') && !/backendRefs/.test(path));
    const rows = findings.map(({ code, object, path }) => `${code} ${object} ${path}`);
    // Reasoned from istio/istio pkg/config/analysis/analyzers at the commit of the data: documents that are in two files count once, and
    // Deployments as the pods that they make.
    expect(rows.sort()).toEqual([
      'IST0101 VirtualService istio-system/cert-manager spec.http[0].route[0].destination.host',
      'IST0129 DestinationRule default/originate-tls-for-googleapis spec.trafficPolicy.portLevelSettings[0].tls',
      'IST0130 VirtualService default/details spec.http[1]',
      'IST0140 VirtualService default/bookinfo spec.http[0].route[0].destination.host',
      'IST0145 Gateway default/helloworld-gateway spec.servers[0]',
      'IST0145 Gateway default/httpbin-gateway spec.servers[0]',
      'IST0145 Gateway istio-system/cert-manager-gateway spec.servers[0]',
      'IST0145 Gateway istio-system/cert-manager-gateway spec.servers[0]',
      'IST0162 Gateway default/bookinfo-gateway spec.servers[0].port.number',
      'IST0173 DestinationRule default/details spec.subsets[1]',
      'IST0173 DestinationRule default/ratings spec.subsets[1]',
      'IST0173 DestinationRule default/ratings spec.subsets[2]',
      'IST0173 DestinationRule default/ratings spec.subsets[3]',
    ]);
  });
});
