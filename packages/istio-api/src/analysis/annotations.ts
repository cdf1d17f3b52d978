import type { MeshObject } from '../object.ts';
import { ANNOTATIONS } from './known-annotations.ts';
import type { Analyzer } from './say.ts';

/** Set by Istio itself. */
const ITS_OWN: ReadonlySet<string> = new Set(['sidecar.istio.io/status', 'gateway.istio.io/controller-version', 'istio.io/rev']);
const KINDS = { Namespace: 'Namespace', Service: 'Service', Pod: 'Pod', 'apps/Deployment': 'Deployment' } as const;

/** Annotations of Istio on Kubernetes objects (Istio: annotations.K8sAnalyzer). */
export const analyzeAnnotations: Analyzer = (mesh, say) => {
  for (const [key, kind] of Object.entries(KINDS))
    for (const object of mesh.all(key))
      for (const [name, value] of Object.entries(object.metadata.annotations)) {
        if (!isIstios(name) || ITS_OWN.has(name)) continue;
        for (const { code, text } of problemsOf(name, value, kind, object)) say(object, code, ['metadata', 'annotations', name], text);
      }
};

function isIstios(name: string): boolean {
  return name === 'kubernetes.io/ingress.class' || name.split('/')[0]!.endsWith('istio.io');
}

interface Problem {
  readonly code: string;
  readonly text: string;
}

function problemsOf(name: string, value: string, kind: string, { metadata }: MeshObject): readonly Problem[] {
  const known = ANNOTATIONS[name];
  if (known === undefined) return [{ code: 'IST0108', text: `${name} is no annotation of Istio: correct its name, or remove it` }];
  const problems: Problem[] = [];
  if (known.deprecated === true && metadata.labels[name] === undefined) {
    const instead = name === 'sidecar.istio.io/inject' ? ': use the label of that name' : ': remove it';
    problems.push({ code: 'IST0135', text: `${name} is deprecated${instead}` });
  }
  if (known.on.includes('Any')) return problems;
  if (!known.on.includes(kind))
    problems.push({ code: 'IST0107', text: `${name} has no effect on a ${kind}: it belongs on ${known.on.join(', ')}` });
  else if (known.values?.test(value) === false)
    problems.push({ code: 'IST0125', text: `${name}: ${JSON.stringify(value)} is not ${known.wants}` });
  return problems;
}
