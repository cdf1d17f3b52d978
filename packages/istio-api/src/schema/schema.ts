/** Whether the mesh honours a field: `ignored` does nothing and is told, `refused` makes the document unusable. */
export type Support = 'yes' | 'ignored' | 'refused';

interface Common {
  readonly support: Support;
  /** What a reader must know: the limit of a field that works, or what to do instead of one that does not. Stands in findings and in docs/reference/supported-fields.md. */
  readonly note?: string;
}

/** The shape of a field. Small on purpose: enough to name unknown fields, wrong types and bad values at their line. */
export type Schema =
  | (Common & {
      readonly type: 'string' | 'bool' | 'number' | 'duration' | 'any';
      readonly values?: readonly string[];
      readonly min?: number;
      readonly max?: number;
    })
  | (Common & { readonly type: 'list'; readonly items: Schema })
  | (Common & { readonly type: 'map'; readonly items: Schema })
  | (Common & {
      readonly type: 'object';
      readonly fields: Fields;
      readonly required: readonly string[];
      readonly oneOf: readonly (readonly string[])[];
      /** Fields that are not listed are somebody else's (the Kubernetes API's), not mistakes. */
      readonly open?: boolean;
    });

export type Fields = Readonly<Record<string, Schema>>;

export const text: Schema = { type: 'string', support: 'yes' };
export const bool: Schema = { type: 'bool', support: 'yes' };
export const number: Schema = { type: 'number', support: 'yes' };
export const duration: Schema = { type: 'duration', support: 'yes' };
export const any: Schema = { type: 'any', support: 'yes' };
export const port: Schema = { type: 'number', support: 'yes', min: 1, max: 65_535 };
export const count: Schema = { type: 'number', support: 'yes', min: 0 };
export const percentNumber: Schema = { type: 'number', support: 'yes', min: 0, max: 100 };

export const choice = (...values: readonly string[]): Schema => ({ type: 'string', support: 'yes', values });
export const list = (items: Schema): Schema => ({ type: 'list', support: 'yes', items });
export const map = (items: Schema): Schema => ({ type: 'map', support: 'yes', items });
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
