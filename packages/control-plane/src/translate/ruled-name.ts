import type { ProxyNode } from '../model/proxy-node.ts';
import type { MergedDestinationRule } from '../push/destination-rules.ts';
import type { MeshService } from '../push/service.ts';

/** A service under the rule that a client's namespace gives it: clients of all namespaces share what is made for its callers. */
export function ruledName(
  { hostname, namespace }: MeshService,
  rule: MergedDestinationRule | undefined,
  { namespace: client }: Pick<ProxyNode, 'namespace'>,
): string {
  // Of a namespace's own rules there may be others than it exports.
  return `${hostname} ${namespace} ${rule === undefined ? '' : `${rule.namespace} ${rule.namespace === client}`}`;
}
