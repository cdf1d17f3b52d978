/** Whether the mesh honours a field: `ignored` does nothing and is told, `refused` makes the document unusable. */
export type Support = 'yes' | 'ignored' | 'refused';

/** What must hold of a value as a whole: a CEL rule of Istio's CRDs, under the CRD's own words. */
export interface Rule {
  readonly message: string;
  readonly holds: (value: unknown) => boolean;
  /** The part of an object that breaks it, for the position. */
  readonly at?: string;
  /** It asks only which fields are there, so it can be judged whatever stands in them. */
  readonly ofPresence?: true;
}

interface Common {
  readonly support: Support;
  /** What a reader must know: the limit of a field that works, or what to do instead of one that does not. Stands in findings and in docs/reference/supported-fields.md. */
  readonly note?: string;
  /** May be given as null (it then counts as absent). */
  readonly nullable?: true;
  /** Looked at when the value has the right structure. */
  readonly rules?: readonly Rule[];
}

export interface TextSchema extends Common {
  readonly type: 'string';
  readonly values?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: RegExp;
}
export interface NumberSchema extends Common {
  readonly type: 'number';
  readonly integer?: true;
  readonly min?: number;
  readonly max?: number;
}
export interface PlainSchema extends Common {
  readonly type: 'bool' | 'duration' | 'any';
  /** Of a duration: `any` that Go reads, 0 and below included; one of less than 1 ms, which is none; or parts of milliseconds. Else whole ones. */
  readonly short?: 'any' | 'none' | 'exact';
  /** Of `any`: an object with any fields. */
  readonly shape?: 'object';
}
export interface ListSchema extends Common {
  readonly type: 'list';
  readonly items: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** Field by which items must differ. */
  readonly key?: string;
}
export interface MapSchema extends Common {
  readonly type: 'map';
  readonly items: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
}
export interface ObjectSchema extends Common {
  readonly type: 'object';
  readonly fields: Fields;
  readonly required: readonly string[];
  readonly oneOf: readonly (readonly string[])[];
  /** Fields that are not listed are somebody else's (the Kubernetes API's), not mistakes. */
  readonly open?: boolean;
}

/** The shape of a field. Small on purpose: enough to name unknown fields, wrong types and bad values at their line. */
export type Schema = TextSchema | NumberSchema | PlainSchema | ListSchema | MapSchema | ObjectSchema;

export type Fields = Readonly<Record<string, Schema>>;

export const text: TextSchema = { type: 'string', support: 'yes' };
export const bool: Schema = { type: 'bool', support: 'yes' };
export const number: NumberSchema = { type: 'number', support: 'yes' };
export const integer: NumberSchema = { type: 'number', support: 'yes', integer: true };
export const duration: Schema = { type: 'duration', support: 'yes' };
/** Any that Go reads, as in fields of MeshConfig that istiod does not look at. */
export const anyDuration: PlainSchema = { type: 'duration', support: 'yes', short: 'any' };
/** At least 1 ms, but not in whole ones: fields that istiod does not look at, but the CRD. */
export const exactDuration: PlainSchema = { type: 'duration', support: 'yes', short: 'exact' };
/** Below 1 ms it stands for no limit. */
export const durationOrNone: PlainSchema = { type: 'duration', support: 'yes', short: 'none' };
export const anyObject: PlainSchema = { type: 'any', support: 'yes', shape: 'object' };
export const any: Schema = { type: 'any', support: 'yes' };
export const port: NumberSchema = {
  type: 'number',
  support: 'yes',
  integer: true,
  rules: [rule('port must be between 1-65535', (value: number) => value >= 1 && value <= 65_535)],
};
export const count: NumberSchema = { type: 'number', support: 'yes', integer: true, min: 0, max: 4_294_967_295 };
/** At least 0, as large as an int32. */
export const smallCount: NumberSchema = { type: 'number', support: 'yes', integer: true, min: 0, max: 2_147_483_647 };
export const int32: NumberSchema = { type: 'number', support: 'yes', integer: true, min: -2_147_483_648, max: 2_147_483_647 };
export const percentNumber: NumberSchema = { type: 'number', support: 'yes', min: 0, max: 100 };
export const wholePercent: NumberSchema = { ...percentNumber, integer: true };
/** Text of at least one character. */
export const name: TextSchema = { type: 'string', support: 'yes', minLength: 1 };

/** `message` is the CRD's. */
export function rule<T>(message: string, holds: (value: T) => boolean, at?: string): Rule {
  return { message, holds: holds as (value: unknown) => boolean, ...(at === undefined ? {} : { at }) };
}

export const choice = (...values: readonly string[]): TextSchema => ({ type: 'string', support: 'yes', values });
export const list = (items: Schema): ListSchema => ({ type: 'list', support: 'yes', items });
export const map = (items: Schema): MapSchema => ({ type: 'map', support: 'yes', items });
/** `required` names fields that must be there; of each `oneOf` group at most one may be. */
export const object = (fields: Fields, required: readonly string[] = [], oneOf: readonly (readonly string[])[] = []): Schema => ({
  type: 'object',
  support: 'yes',
  fields,
  required,
  oneOf,
});
/** An object of the Kubernetes API: only what the mesh reads is listed. */
export const openObject = (fields: Fields): Schema => ({ type: 'object', support: 'yes', fields, required: [], oneOf: [], open: true });
export const nullable = (schema: Schema): Schema => ({ ...schema, nullable: true });
export const ruled = (schema: Schema, ...rules: readonly Rule[]): Schema => ({ ...schema, rules: [...(schema.rules ?? []), ...rules] });
export const noted = (schema: Schema, note: string): Schema => ({ ...schema, note });
export const ignored = (schema: Schema, note?: string): Schema => ({
  ...schema,
  support: 'ignored',
  ...(note === undefined ? {} : { note }),
});
export const refused = (schema: Schema, note?: string): Schema => ({
  ...schema,
  support: 'refused',
  ...(note === undefined ? {} : { note }),
});

/** The same note for several fields that do nothing. */
export const ignoredFields = (fields: Fields, note?: string): Fields =>
  Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, ignored(schema, note)]));

/** The phases of extensions that protect a workload. */
export const guards = (phase: unknown): boolean => phase === 'AUTHN' || phase === 'AUTHZ';
