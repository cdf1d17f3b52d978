import type { Difference } from '../istiod/compare-mesh.ts';
import { explanationOf as explanationOfMesh } from '../istiod/explained.ts';
import type { Mesh } from '../istiod/mesh/random-mesh.ts';

interface Explanation {
  readonly name: string;
  /** Of the example. */
  readonly example: RegExp;
  /** Of `<where> <text>` of the difference. */
  readonly pattern: RegExp;
}

/** Meant: a line each on the page of differences. */
const MEANT: readonly Explanation[] = [
  {
    name: "a condition on another filter's metadata, which there is none of",
    example: /full-rule-in|both-http-tcp-in/,
    pattern: /^validation AuthorizationPolicy istiod: accepted; we: .*asks for metadata of an Envoy filter, and there is none$/,
  },
  {
    name: "routes of a host whose waypoint is another controller's",
    example: /foreign-waypoint\.yaml$/,
    pattern: /^sidecar routes 80 .*\.decorator\.operation/,
  },
];

/** The name of what explains a difference of an example; undefined when nothing does. */
export function explanationOf(example: string, difference: Difference, mesh: Mesh): string | undefined {
  const text = `${difference.where} ${difference.text}`;
  return MEANT.find((entry) => entry.example.test(example) && entry.pattern.test(text))?.name ?? explanationOfMesh(difference, mesh);
}
