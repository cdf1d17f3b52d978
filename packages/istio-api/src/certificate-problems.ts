import { readKeyPair, readTrust, SecretError } from './certificate-secrets.ts';
import type { MeshObject } from './object.ts';

/** What was found wrong with a document; reading certificates costs, and documents do not change. */
const pairs = new WeakMap<MeshObject, string | undefined>();
const bundles = new WeakMap<MeshObject, string | undefined>();

/** What is wrong with the certificate and the key of a Secret, without any of its content; undefined when they can be served. */
export function keyPairProblem(object: MeshObject): string | undefined {
  return problem(object, pairs, readKeyPair);
}

/** What is wrong with the CA certificates of a Secret or a ConfigMap; undefined when they can be used. */
export function trustProblem(object: MeshObject): string | undefined {
  return problem(object, bundles, readTrust);
}

function problem(
  object: MeshObject,
  known: WeakMap<MeshObject, string | undefined>,
  read: (object: MeshObject) => unknown,
): string | undefined {
  if (!known.has(object)) known.set(object, complaint(object, read));
  return known.get(object);
}

function complaint(object: MeshObject, read: (object: MeshObject) => unknown): string | undefined {
  try {
    read(object);
    return undefined;
  } catch (error) {
    if (error instanceof SecretError) return error.message;
    throw error;
  }
}
