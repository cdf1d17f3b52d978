import type { ProxyNode } from './proxy-node.ts';
import { proxyNodeOf } from './proxy-node-of.ts';

/** A node of a nodes file: a client that need not be there. */
export interface NamedNode {
  readonly name: string;
  readonly node: ProxyNode;
}

/**
 * Reads a nodes file: `[{"Name", "ID", "Metadata"?, "Locality"?: {"Region"?, "Zone"?, "SubZone"?}}]`, the fields of an xDS node. Throws
 * naming the file, the entry and the field.
 */
export function parseNodes(text: string, file: string): NamedNode[] {
  const json = parse(text, file);
  if (!Array.isArray(json))
    throw new Error(`${file}: give a JSON array of nodes: [{"Name": "reviews-v1", "ID": "sidecar~…", "Metadata": {…}}]`);
  const seen = new Set<string>();
  return json.map((entry: unknown, index) => {
    const where = `${file}: [${index}]`;
    if (!isRecord(entry)) throw new Error(`${where}: a node is an object with Name, ID and Metadata`);
    const name = stringOf(entry.Name, `${where}.Name`);
    if (seen.has(name)) throw new Error(`${where}.Name: "${name}" is there twice; names must differ`);
    seen.add(name);
    const locality = isRecord(entry.Locality) ? entry.Locality : {};
    try {
      const node = proxyNodeOf({
        id: stringOf(entry.ID, 'ID'),
        metadata: isRecord(entry.Metadata) ? entry.Metadata : {},
        locality: { region: partOf(locality.Region), zone: partOf(locality.Zone), subZone: partOf(locality.SubZone) },
      });
      return { name, node };
    } catch (cause) {
      throw new Error(`${where} ${name}: ${cause instanceof Error ? cause.message : cause}`);
    }
  });
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file} is not JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
}

function stringOf(value: unknown, field: string): string {
  if (typeof value !== 'string' || value === '') throw new Error(`${field} must be a string that is not empty`);
  return value;
}

function partOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
