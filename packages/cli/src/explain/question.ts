import type { ExplainQuestion } from '@ripstop/control-plane';
import type { HttpOptions } from '../control-plane-http.ts';
import { membersOfControlPlane } from './members.ts';
import { explainWay, headerLines, wayAsJson } from './way.ts';

/** Answers a question of the live page over what the running control plane's clients have. Rejects naming who is connected. */
export async function explainQuestion(options: HttpOptions, { from, namespace, method, url, headers }: ExplainQuestion): Promise<object> {
  const members = membersOfControlPlane(options);
  const caller = await members.find(from, namespace);
  return wayAsJson(await explainWay(members, caller, { method, url, headers: headerLines(headers) }));
}
