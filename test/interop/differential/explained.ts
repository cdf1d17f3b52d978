/** Differences that are meant. Each is a line of docs/reference/differences.md, which holds `page`. */
export interface ExplainedDifference {
  readonly page: string;
  /** The lines of a comparison that it does not explain. `status`: of the SDK's reply. */
  readonly without: (lines: string[], status: number) => string[];
}

export const EXPLAINED: readonly ExplainedDifference[] = [
  {
    page: '`content-length: 0` of a 204',
    without: (lines, status) =>
      status === 204 ? lines.filter((line) => line !== 'response header content-length: Envoy none, SDK "0"') : lines,
  },
  {
    // Envoy rewrites it when a connection stands, and its value shows in response headers made of %REQ(:authority)%.
    page: '`%REQ(:authority)%` in the response to a call whose connection failed',
    without: (lines) => lines.filter((line) => !/^response header .*SDK ".*(nobody|up-\d)\.host/.test(line)),
  },
  {
    page: 'a rewrite that leaves a path without `/` at its start',
    without: (lines) => (lines.some((line) => line.endsWith('SDK rewritten_path_invalid')) ? [] : lines),
  },
  {
    page: 'a CORS preflight with a gRPC content type',
    without: (lines) =>
      lines.every((line) => /^response header (content-type|grpc-status): Envoy none, SDK "(application\/grpc|2)"$/.test(line))
        ? []
        : lines,
  },
  {
    page: '`%PROTOCOL%` of a call with a gRPC content type',
    without: (lines) => lines.filter((line) => !/Envoy ".*HTTP\/1\.1.*", SDK ".*HTTP\/2/.test(line)),
  },
];
