import type { Fields, Policy, Rule } from '../../conformance/authorization-policy.ts';

type Random = () => number;

/** Where policies and workloads of the test are. */
export const NAMESPACE = 'default';
export const ISSUERS: readonly string[] = ['https://a.test', 'https://b.test/x'];
export const SUBJECTS: readonly string[] = ['jane', 'bob', 'ja'];
export const AUDIENCES: readonly string[] = ['web', 'api', 'web-admin'];
export const PRESENTERS: readonly string[] = ['app', 'cli'];
export const LEVELS: readonly string[] = ['gold', 'silver', 'golden'];
export const NAMESPACES: readonly string[] = ['default', 'foo', 'fo', 'prod-1'];
export const ACCOUNTS: readonly string[] = ['client', 'cl', 'web.v1', 'admin'];

type Condition = NonNullable<Rule['when']>[number];

/** Policies over who calls, as their authors would write them; every field of a source, and what a token says. */
export function drawPolicies(random: Random): Policy[] {
  const one = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const some = <T>(draw: () => T): T[] => Array.from({ length: 1 + Math.floor(random() * 2) }, draw);
  const starred = (text: string): string => {
    const kind = random();
    if (kind < 0.7) return text;
    if (kind < 0.8) return `${text.slice(0, Math.ceil(text.length / 2))}*`;
    return kind < 0.9 ? `*${text.slice(Math.floor(text.length / 2))}` : '*';
  };
  const principal = (): string => starred(`cluster.local/ns/${one(NAMESPACES)}/sa/${one(ACCOUNTS)}`);
  const namespace = (): string => starred(one(NAMESPACES));
  const account = (): string => (random() < 0.5 ? one(ACCOUNTS) : `${one(NAMESPACES)}/${one(ACCOUNTS)}`);
  const subject = (): string => starred(`${one(ISSUERS)}/${one(SUBJECTS)}`);

  const source = (): Fields => {
    const fields: Record<string, readonly string[]> = {};
    const maybe = (name: string, draw: () => string): void => {
      const kind = random();
      if (kind < 0.35) fields[name] = some(draw);
      else if (kind < 0.5) fields[`not${name[0]!.toUpperCase()}${name.slice(1)}`] = some(draw);
    };
    if (random() < 0.3) maybe('serviceAccounts', account);
    else {
      maybe('principals', principal);
      maybe('namespaces', namespace);
    }
    maybe('requestPrincipals', subject);
    return Object.keys(fields).length === 0 ? { namespaces: [namespace()] } : fields;
  };
  const condition = (): Condition => {
    const [key, draw] = one<readonly [string, () => string]>([
      ['source.principal', principal],
      ['source.namespace', namespace],
      ['request.auth.principal', subject],
      ['request.auth.audiences', () => starred(one(AUDIENCES))],
      ['request.auth.presenter', () => starred(one(PRESENTERS))],
      ['request.auth.claims[iss]', () => starred(one(ISSUERS))],
      ['request.auth.claims[nested1][nested2]', () => starred(one(LEVELS))],
    ]);
    return random() < 0.7 ? { key, values: some(draw) } : { key, notValues: some(draw) };
  };
  const rule = (): Rule => ({
    ...(random() < 0.8 ? { from: some(() => ({ source: source() })) } : {}),
    ...(random() < 0.3 ? { to: [{ operation: { paths: [one(['/a*', '/b'])] } }] } : {}),
    ...(random() < 0.5 ? { when: some(condition) } : {}),
  });
  const policy = (action: string): Policy => ({ namespace: NAMESPACE, action, rules: some(rule) });
  const kind = random();
  if (kind < 0.4) return [policy('ALLOW')];
  return kind < 0.7 ? [policy('DENY')] : [policy('DENY'), policy('ALLOW')];
}

/** The same as YAML, without a selector: for every workload of the namespace. */
export function policyDocuments(policies: readonly Policy[]): string[] {
  return policies.map(
    ({ action, rules }, index) => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: policy-${index}, namespace: ${NAMESPACE} }
spec: ${JSON.stringify({ action, rules })}
`,
  );
}
