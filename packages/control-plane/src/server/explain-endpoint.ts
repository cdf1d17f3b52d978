/** A request that somebody asks about on the live page. */
export interface ExplainQuestion {
  /** The caller: a client as proxy-status lists it, or an `app` label. */
  readonly from: string;
  readonly namespace: string;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * Answers what would become of a request, as JSON. Whoever runs the control plane brings it, because the evaluator is that of the data
 * plane, which a control plane does not know. Rejects with what the asker has to change.
 */
export type Explainer = (question: ExplainQuestion) => Promise<object>;

/** The question of `/api/explain?from=web&method=GET&url=…&header=name: value`; the text says what is missing. */
export function explainQuestion(parameters: URLSearchParams): ExplainQuestion | string {
  const from = parameters.get('from')?.trim() ?? '';
  const url = parameters.get('url')?.trim() ?? '';
  if (from === '') return 'who calls? Give from=<workload>, a connected client or its app label';
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:'))
    return 'which URL? Give url=http://<host>[:port]/<path>, as the app calls it';
  const headers = parameters.getAll('header').map(headerOf);
  const broken = headers.find((header): header is string => typeof header === 'string');
  if (broken !== undefined) return `header "${broken}" is no line "name: value"`;
  return {
    from,
    namespace: parameters.get('namespace')?.trim() || 'default',
    method: (parameters.get('method')?.trim() || 'GET').toUpperCase(),
    url,
    headers: headers.filter((header): header is [string, string] => typeof header !== 'string'),
  };
}

function headerOf(line: string): [string, string] | string {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  return name === undefined ? line : [name.toLowerCase(), value!];
}
