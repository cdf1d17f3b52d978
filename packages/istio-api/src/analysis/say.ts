import type { MeshObject, Severity } from '../object.ts';

/** Reports a finding about an object, at a field of it. */
export type Say = (object: MeshObject, code: string, severity: Severity, path: readonly (string | number)[], message: string) => void;
