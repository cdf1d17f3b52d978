import type { ProxyNode } from '../model/proxy-node.ts';

type Labels = Readonly<Record<string, string>>;

/** Labels that say where and how a workload runs: no Service and no policy is meant to select by them. */
const OF_THE_PLATFORM = /^(?:security\.istio\.io\/tlsMode|istio-locality|topology\.(?:istio|kubernetes)\.io\/.+)$/;
const CANONICAL_NAME = 'service.istio.io/canonical-name';
const CANONICAL_REVISION = 'service.istio.io/canonical-revision';

/**
 * Why a node may not have its labels, when its token or certificate binds it to some: it must have those, and no others. Services and
 * policies select workloads by labels: whoever may choose his own takes calls that are meant for others, or leaves a DENY behind.
 */
export function labelProblem({ labels, serviceAccount }: Pick<ProxyNode, 'labels' | 'serviceAccount'>, bound: Labels): string | undefined {
  for (const [name, value] of Object.entries(bound))
    if (labels[name] !== value) return `the token is bound to label ${name}=${value}, the node says ${labels[name] ?? 'none'}`;
  const canonical: Readonly<Record<string, readonly (string | undefined)[]>> = {
    [CANONICAL_NAME]: [bound.app, serviceAccount],
    [CANONICAL_REVISION]: [bound.version, 'latest'],
  };
  for (const [name, value] of Object.entries(labels)) {
    if (bound[name] === value || OF_THE_PLATFORM.test(name) || canonical[name]?.includes(value) === true) continue;
    return `the token is bound to its labels, and ${name}=${value} is none of them: ask for a token with it, or do without`;
  }
  return undefined;
}
