import { type MeshObject, objectKey } from '@ripstop/istio-api';

/**
 * The objects of a text that was read again; those whose lines did not change are the objects from before, so that what was made of
 * them still holds. With anchors and aliases one part of a text decides about another: then all are new.
 */
export function unchangedObjects(
  objects: readonly MeshObject[],
  text: string,
  before: { readonly text: string; readonly objects: readonly MeshObject[] },
): MeshObject[] {
  if (/[\s[{,:][&*][A-Za-z_]/.test(text) || /[\s[{,:][&*][A-Za-z_]/.test(before.text)) return [...objects];
  const lines = text.split('\n');
  const oldLines = before.text.split('\n');
  const starts = new Set(before.objects.map(({ source }) => source.line));
  const known = new Map(before.objects.map((object) => [objectKey(object), object]));
  return objects.map((object, index) => {
    const old = known.get(objectKey(object));
    if (old === undefined || old.apiVersion !== object.apiVersion || old.source.line !== object.source.line) return object;
    if (old.source.column !== object.source.column) return object;
    const next = objects[index + 1]?.source.line;
    // It must end where it ended before: the last one at the end of the text.
    if (next === undefined ? oldLines.length !== lines.length : next === object.source.line || !starts.has(next)) return object;
    for (let line = object.source.line - 1; line < (next ?? lines.length + 1) - 1; line++)
      if (lines[line] !== oldLines[line]) return object;
    return old;
  });
}
