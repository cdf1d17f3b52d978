import { object, type Schema } from './schema.ts';

/**
 * What the control plane does with a kind. `ignored`: it has no effect, and a warning says so. `refused`: an error says that it is not
 * honoured; a kind that protects a workload (see `closes`) makes that workload refuse every request.
 */
export type KindStatus = 'used' | 'ignored' | 'refused';

export interface Kind {
  readonly kind: string;
  /** API group; '' is Kubernetes' core. */
  readonly group: string;
  readonly versions: readonly string[];
  readonly namespaced: boolean;
  readonly status: KindStatus;
  /** What to do instead, or how far it works. */
  readonly note?: string;
  /** True for documents whose selected workloads refuse every request, because what they ask for protects them and is not enforced. */
  readonly closes?: (spec: unknown) => boolean;
  /** It is for Envoys: our own processes cannot do what it says, and a finding tells so. */
  readonly onlyEnvoys?: true;
  /** A document without a spec is refused, as the CRD says. */
  readonly requiresSpec?: true;
  /** Of a kind of others, the part of the spec that is kept; a document without it, or of another version, is left alone. */
  readonly keep?: (spec: unknown) => unknown;
  /** Undefined = the spec is not looked into. That of a refused kind is validated, and nothing of it is honoured. */
  readonly spec?: Schema;
  /** What is read of the status; that of other kinds is not looked into. */
  readonly observed?: Schema;
  /** Fields beside apiVersion, kind, metadata, spec and status. Undefined = whatever stands there is Kubernetes' business. */
  readonly rest?: Schema;
}

type Group = Pick<Kind, 'group' | 'versions' | 'namespaced' | 'rest'>;

/** Documents of Istio have nothing beside their spec. */
export const NOTHING_ELSE: Schema = object({});
export const NETWORKING: Group = {
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  namespaced: true,
  rest: NOTHING_ELSE,
};
export const SECURITY: Group = { group: 'security.istio.io', versions: ['v1', 'v1beta1'], namespaced: true, rest: NOTHING_ELSE };
