import type { MeshObject } from '../object.ts';
import type { ClientTLSSettings, DestinationRuleSpec } from '../types/networking.ts';
import type { KnownHost } from './known-hosts.ts';
import { formatSelector } from './labels.ts';
import type { MeshDocuments } from './mesh-documents.ts';
import type { Analyzer, Say } from './say.ts';

type Rule = MeshObject<DestinationRuleSpec>;

/** Hosts, subsets and TLS of DestinationRules (Istio: SubsetSelectPodAnalyzer, CaCertificateAnalyzer). */
export const analyzeDestinationRules: Analyzer = (mesh, say) => {
  for (const object of mesh.all<DestinationRuleSpec>('networking.istio.io/DestinationRule')) {
    const { host, exportTo } = object.spec;
    const known = mesh.hosts.find(host, object.metadata.namespace, exportTo);
    if (known === undefined && !(host.startsWith('*') && mesh.hosts.covers(host)))
      say(
        object,
        'IST0174',
        ['spec', 'host'],
        `no Service and no ServiceEntry is "${host}": the rule has no effect; add it or correct the name`,
      );
    else if (known !== undefined) checkSubsets(object, known, mesh, say);
    checkDuplicates(object, say);
    checkTrust(object, say);
  }
};

function checkSubsets(object: Rule, { selector = {}, definedBy }: KnownHost, { workloads }: MeshDocuments, say: Say): void {
  if (!workloads.areTold) return;
  for (const [index, { name, labels = {} }] of (object.spec.subsets ?? []).entries()) {
    const all = { ...selector, ...labels };
    const found = definedBy.kind === 'Service' ? workloads.in(definedBy.metadata.namespace, all) : workloads.anywhere(all);
    if (found.length === 0)
      say(
        object,
        'IST0173',
        ['spec', 'subsets', index],
        `subset "${name}" selects no workload (${formatSelector(all)}): requests for it get 503; correct its labels, or start one`,
      );
  }
}

function checkDuplicates(object: Rule, say: Say): void {
  const seen = new Set<string>();
  for (const [index, { name }] of (object.spec.subsets ?? []).entries()) {
    if (seen.has(name))
      say(object, 'RIPSTOP_DUPLICATE_SUBSET', ['spec', 'subsets', index], `subset "${name}" is defined twice: the first one is used`);
    seen.add(name);
  }
}

function checkTrust(object: Rule, say: Say): void {
  const { host, trafficPolicy, workloadSelector } = object.spec;
  // A Secret brings the roots, to workloads that the rule selects.
  const lacks = ({ mode, caCertificates = '', credentialName = '' }: ClientTLSSettings = {}): boolean =>
    (mode === 'SIMPLE' || mode === 'MUTUAL') && caCertificates === '' && !(credentialName !== '' && workloadSelector !== undefined);
  const effect = 'Envoy would accept any certificate, Ripstop asks the roots of the system: name caCertificates';
  if (lacks(trafficPolicy?.tls))
    say(
      object,
      'IST0128',
      ['spec', 'trafficPolicy', 'tls'],
      `tls mode ${trafficPolicy!.tls!.mode} without caCertificates: nothing says who ${host} is; ${effect}`,
    );
  for (const [index, { tls, port }] of (trafficPolicy?.portLevelSettings ?? []).entries())
    if (lacks(tls))
      say(
        object,
        'IST0129',
        ['spec', 'trafficPolicy', 'portLevelSettings', index, 'tls'],
        `tls mode ${tls!.mode} without caCertificates: nothing says who ${host} is at port ${port?.number}; ${effect}`,
      );
}
