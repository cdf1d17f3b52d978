import { keyPairProblem, type MeshObject, trustProblem } from '@ripstop/istio-api';

type Kind = 'Secret' | 'ConfigMap';

/** Finds Secrets and ConfigMaps by name. No answer ever holds a key, or text of a document. */
export class Certificates {
  private readonly documents = new Map<string, MeshObject>();

  constructor(objects: readonly MeshObject[]) {
    for (const object of objects) {
      const { apiVersion, kind, metadata } = object;
      if (apiVersion !== 'v1' || (kind !== 'Secret' && kind !== 'ConfigMap')) continue;
      this.documents.set(`${kind} ${metadata.namespace}/${metadata.name}`, object);
    }
  }

  has(kind: Kind, key: string): boolean {
    return this.documents.has(`${kind} ${key}`);
  }

  /** What is wrong with a certificate and its key; undefined when they can be served. */
  pairProblem(key: string): string | undefined {
    const object = this.documents.get(`Secret ${key}`);
    return object === undefined ? 'it does not exist' : keyPairProblem(object);
  }

  /** What is wrong with CA certificates; undefined when they can be used. */
  bundleProblem(kind: Kind, key: string): string | undefined {
    const object = this.documents.get(`${kind} ${key}`);
    return object === undefined ? 'it does not exist' : trustProblem(object);
  }
}
