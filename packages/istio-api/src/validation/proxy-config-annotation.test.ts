import { describe, expect, it } from 'vitest';
import { parseDocuments } from '../parse.ts';
import { validateObject } from '../validate.ts';

function findings(annotation: string): string[] {
  const { objects } = parseDocuments(
    `apiVersion: v1
kind: Pod
metadata:
  name: web-1
  annotations:
    proxy.istio.io/config: ${JSON.stringify(annotation)}
`,
    { file: 'pod.yaml' },
  );
  return objects
    .flatMap(validateObject)
    .map(({ code, severity, position, path, message }) => `${code} ${severity} ${position.line} ${path}: ${message}`);
}

describe('the annotation proxy.istio.io/config', () => {
  it.each([
    ['tracing: { sampling: 10 }', []],
    ['concurrency: 2', [/^RIPSTOP_UNSUPPORTED_FIELD warning 6 .*concurrency: this field has no effect/]],
    ['tracing: { sampling: lots }', [/^RIPSTOP_WRONG_TYPE warning 6 .*tracing.sampling: .*the annotation has no effect/]],
    ['tracings: {}', [/^RIPSTOP_UNKNOWN_FIELD warning 6 .*did you mean "tracing".*the annotation has no effect/]],
    ['just words', [/^RIPSTOP_YAML warning 6 .*the annotation has no effect/]],
  ])('%s', (text, expected) => {
    const found = findings(text);
    expect(found).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  });
});
