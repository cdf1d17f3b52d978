import { type MeshObject, readKeyPair, readTrust, SecretError } from '@ripstop/istio-api';

type Kind = 'Secret' | 'ConfigMap';

/** What was found wrong with a document; reading certificates costs, and documents do not change. */
const pairs = new WeakMap<MeshObject, string | undefined>();
const bundles = new WeakMap<MeshObject, string | undefined>();

/** Looks into Secrets and ConfigMaps. No answer ever holds a key, or text of a document. */
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
    return this.problem('Secret', key, pairs, readKeyPair);
  }

  /** What is wrong with CA certificates; undefined when they can be used. */
  bundleProblem(kind: Kind, key: string): string | undefined {
    return this.problem(kind, key, bundles, readTrust);
  }

  private problem(
    kind: Kind,
    key: string,
    known: WeakMap<MeshObject, string | undefined>,
    read: (object: MeshObject) => unknown,
  ): string | undefined {
    const object = this.documents.get(`${kind} ${key}`);
    if (object === undefined) return 'it does not exist';
    if (!known.has(object))
      known.set(
        object,
        complaint(() => read(object)),
      );
    return known.get(object);
  }
}

function complaint(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof SecretError) return error.message;
    throw error;
  }
}
