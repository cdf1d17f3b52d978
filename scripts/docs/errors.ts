import { DETAILS, type ErrorRow, FINDINGS, MESH_ERRORS, REQUEST_ERRORS, WARNINGS } from './error-codes.ts';
import { code, generatedFrom, table } from './markdown.ts';

/** docs/reference/errors.md. */
export function renderErrors(): string {
  const rows = (entries: readonly ErrorRow[]): string =>
    table(
      ['code', 'what happened', 'what to do'],
      entries.map((entry) => [code(entry.code), entry.happened, entry.remedy]),
    );
  return `${generatedFrom('scripts/docs/error-codes.ts')}

# Errors

Every error has a code that does not change; test \`error.code\`, not the message and not \`instanceof\`. Messages name the object, file:line or setting, and the way out.

## From createMesh and its methods

${rows(MESH_ERRORS)}

## From requests and calls

A request that fails before its response began ends with a response, as behind Envoy: status, body and response flag tell why. An error is left for what no response can tell.

${rows(REQUEST_ERRORS)}

## Warnings of the process

${rows(WARNINGS)}

## Findings about YAML

Printed as \`file:line Kind namespace/name path: what and how to put it right [CODE]\`. An error means that the document is not used and its last good version stays; a warning that it is used without the part that the finding names. What documents say about each other has the codes of Istio's analysis: [analysis](analysis.md).

${rows(FINDINGS)}

## Response code details

${rows(DETAILS)}
`;
}
