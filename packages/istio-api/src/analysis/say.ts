import type { MeshObject } from '../object.ts';
import type { MeshDocuments } from './mesh-documents.ts';

/** Reports a finding about an object, at a field of it; how bad it is stands in the catalogue ({@link MESSAGE_TYPES}). */
export type Say = (object: MeshObject, code: string, path: readonly (string | number)[], message: string) => void;

/** Looks at the documents together. */
export type Analyzer = (mesh: MeshDocuments, say: Say) => void;
