import type { Difference } from './bed.ts';

/** A difference for a person: what differs, the request, and the configuration without what is empty. */
export function show({ trial, probe, lines }: Difference): string {
  return [
    ...lines.map((line) => `  ${line}`),
    ...(probe === undefined ? [] : [`  request ${JSON.stringify(probe.call)}`, `  answers ${JSON.stringify(probe.answers)}`]),
    `  routes  ${JSON.stringify(compact(trial.scenario.routes))}`,
    `  manager ${JSON.stringify(compact(trial.scenario.manager))}`,
  ].join('\n');
}

/** Without what is empty. */
export function compact(value: unknown): unknown {
  if (value instanceof Uint8Array) return `${value.length} bytes ${Buffer.from(value).toString('latin1')}`;
  if (Array.isArray(value)) return value.map(compact);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key, field]) =>
      key !== '$type' &&
      field !== undefined &&
      field !== '' &&
      field !== false &&
      field !== 0 &&
      !(typeof field === 'object' && field !== null && !(field instanceof Uint8Array) && Object.keys(field).length === 0),
  );
  return Object.fromEntries(kept.map(([key, field]) => [key, compact(field)]));
}
