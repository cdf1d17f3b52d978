import { describe, expect, it } from 'vitest';
import { formatFinding } from '../object.ts';
import { parseDocuments } from '../parse.ts';
import { MESH_CONFIG_CASES } from '../testing/mesh-config-cases.ts';
import { validateObject } from '../validate.ts';

describe("istiod's validation of a MeshConfig", () => {
  it.each(MESH_CONFIG_CASES.map((one) => [one.what, one] as const))('with %s', (_what, { mesh, refused }) => {
    const { objects, findings } = parseDocuments(`# the mesh\n${mesh}`, { file: 'mesh.yaml' });
    const errors = [...findings, ...objects.flatMap(validateObject)].filter(({ severity }) => severity === 'error');
    if (refused === undefined) expect(errors.map(formatFinding)).toEqual([]);
    else {
      const [path, text] = refused;
      expect(errors.map((finding) => finding.path)).toEqual([path]);
      expect(errors[0]!.message).toContain(text);
      expect(errors[0]!.position).toMatchObject({ file: 'mesh.yaml', line: 2 });
    }
  });
});
