/** Whether the mesh honours a field: `ignored` does nothing and is harmless, `refused` makes the document unusable. */
export type Support = 'yes' | 'ignored' | 'refused';

/** The shape of a field. Small on purpose: enough to name unknown fields, wrong types and bad values at their line. */
export type Schema =
  | {
      readonly type: 'string' | 'bool' | 'number' | 'duration' | 'any';
      readonly support: Support;
      readonly values?: readonly string[];
      readonly min?: number;
      readonly max?: number;
    }
  | { readonly type: 'list'; readonly support: Support; readonly items: Schema }
  | { readonly type: 'map'; readonly support: Support; readonly items: Schema }
  | {
      readonly type: 'object';
      readonly support: Support;
      readonly fields: Fields;
      readonly required: readonly string[];
      readonly oneOf: readonly (readonly string[])[];
    };

export type Fields = Readonly<Record<string, Schema>>;

export const text: Schema = { type: 'string', support: 'yes' };
export const bool: Schema = { type: 'bool', support: 'yes' };
export const number: Schema = { type: 'number', support: 'yes' };
export const duration: Schema = { type: 'duration', support: 'yes' };
export const any: Schema = { type: 'any', support: 'yes' };
export const port: Schema = { type: 'number', support: 'yes', min: 1, max: 65_535 };
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
export const ignored = (schema: Schema): Schema => ({ ...schema, support: 'ignored' });
export const refused = (schema: Schema): Schema => ({ ...schema, support: 'refused' });
