import type { MeshObject } from './object.ts';
import { formatPath, type Path } from './path.ts';
import type { Kind } from './schema/kind.ts';
import type { Schema } from './schema/schema.ts';
import type { Report } from './validate.ts';
import { apiType } from './value-checks.ts';

/**
 * What is not there at all. The API server refuses null where a CRD of Istio does not allow it (elsewhere null counts as absent), and a
 * document without a spec where there has to be one. Answers whether all is well.
 */
export function checkNulls({ nulls = [], lacksSpec }: MeshObject, { spec, group, requiresSpec }: Kind, report: Report): boolean {
  const missing = lacksSpec === true && requiresSpec === true;
  if (missing) report('RIPSTOP_MISSING_FIELD', 'error', ['spec'], 'Required value: spec must be given');
  if (!group.endsWith('.istio.io')) return true;
  const refused = nulls.filter((path) => schemaAt(spec, path.slice(1))?.nullable !== true);
  for (const path of refused) {
    const schema = schemaAt(spec, path.slice(1));
    const rule = `${formatPath(path)} in body must be of type ${schema === undefined ? 'object' : apiType(schema)}: "null"`;
    report('RIPSTOP_WRONG_TYPE', 'error', path, `Invalid value: ${rule}; give a value, or leave the field out`);
  }
  return !missing && refused.length === 0;
}

/** The paths in a spec that are null, list items apart. */
export function nullPaths(value: unknown, path: Path): Path[] {
  if (value === null) return [path];
  if (typeof value !== 'object' || value instanceof Date) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => (item === null ? [] : nullPaths(item, [...path, index])));
  return Object.entries(value).flatMap(([name, item]) => nullPaths(item, [...path, name]));
}

function schemaAt(schema: Schema | undefined, [first, ...rest]: Path): Schema | undefined {
  if (first === undefined || schema === undefined) return schema;
  // What stands in it is no matter of the CRD.
  if (schema.type === 'any') return { ...schema, nullable: true };
  if (schema.type === 'list' || schema.type === 'map') return schemaAt(schema.items, rest);
  if (schema.type !== 'object' || !Object.hasOwn(schema.fields, first)) return undefined;
  return schemaAt(schema.fields[first], rest);
}
