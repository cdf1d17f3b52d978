import { type Finding, type MeshObject, objectKey } from '@ripstop/istio-api';
import { codecOf, fromProtoJson, type MessageCodec } from '@ripstop/xds-api';
import { PATCH_CODECS, type PatchCodec } from './envoy-filters.ts';

interface EnvoyFilterSpec {
  readonly configPatches?: readonly { readonly applyTo?: string; readonly patch?: { readonly value?: unknown } }[];
}

type Path = readonly (string | number)[];
type Json = Readonly<Record<string, unknown>>;

/** What is wrong with the values of EnvoyFilters' patches: fields that their message does not have, texts that are no value of theirs. */
export function envoyFilterFindings(objects: readonly MeshObject[]): Finding[] {
  return objects.filter(({ kind }) => kind === 'EnvoyFilter').flatMap((object) => findingsOf(object as MeshObject<EnvoyFilterSpec>));
}

function findingsOf(object: MeshObject<EnvoyFilterSpec>): Finding[] {
  return (object.spec.configPatches ?? []).flatMap(({ applyTo = '', patch }, index) => {
    const codec = PATCH_CODECS[applyTo as keyof typeof PATCH_CODECS];
    if (codec === undefined || typeof patch?.value !== 'object' || patch.value === null) return [];
    const at: Path = ['spec', 'configPatches', index, 'patch', 'value'];
    return problemsOf(codec, patch.value, []).map(
      ({ severity, path, message }): Finding => ({
        code: severity === 'error' ? 'RIPSTOP_BAD_VALUE' : 'RIPSTOP_UNSUPPORTED_FIELD',
        severity,
        object: objectKey(object),
        position: object.locate([...at, ...path]),
        path: formatted([...at, ...path]),
        message,
      }),
    );
  });
}

interface Problem {
  readonly severity: 'error' | 'warning';
  readonly path: Path;
  readonly message: string;
}

function problemsOf(codec: PatchCodec, value: object, path: Path): Problem[] {
  let read: unknown;
  try {
    read = (codec as PatchCodec & { toJSON(message: object): unknown }).toJSON(fromProtoJson(codec, value));
  } catch (error) {
    return [{ severity: 'error', path, message: `this is no ${codec.$type}: ${error instanceof Error ? error.message : String(error)}` }];
  }
  return compare(value, read, path, codec.$type);
}

/** What of the text did not get into the message. A zero leaves no trace in it. */
function compare(given: unknown, read: unknown, path: Path, type: string): Problem[] {
  if (isZero(given)) return [];
  if (Array.isArray(given)) {
    if (!Array.isArray(read)) return [wrong(path, given, type)];
    return given.flatMap((item, index) => compare(item, read[index], [...path, index], type));
  }
  if (!isObject(given)) return fits(given, read) ? [] : [wrong(path, given, type)];
  const any = given['@type'];
  if (typeof any === 'string') return anyProblems(any, given, path);
  if (!isObject(read)) return [wrong(path, given, type)];
  return Object.entries(given).flatMap(([name, item]): Problem[] => {
    if (isZero(item)) return [];
    const found = read[camelCase(name)] ?? read[name];
    if (found === undefined) return [{ severity: 'error', path: [...path, name], message: `unknown field "${name}" of ${type}` }];
    return compare(item, found, [...path, name], type);
  });
}

function anyProblems(typeUrl: string, { '@type': _, ...fields }: Json, path: Path): Problem[] {
  const codec = codecOf(typeUrl) as (MessageCodec<object> & PatchCodec) | undefined;
  if (codec === undefined)
    return [
      {
        severity: 'warning',
        path: [...path, '@type'],
        message: `${typeUrl} is not known here: it cannot be checked, and our own processes refuse what has it`,
      },
    ];
  // A TypedStruct holds whatever the filter wants.
  return codec.$type.endsWith('.TypedStruct') ? [] : problemsOf(codec, fields, path);
}

/** Durations, enums and numbers may be written in two ways. */
function fits(given: unknown, read: unknown): boolean {
  if (read === undefined || read === null) return false;
  if (isObject(read)) return typeof given === 'string' ? Object.values(read).some((part) => !isZero(part)) : Object.hasOwn(read, 'value');
  return !(typeof read === 'string' && read === 'UNRECOGNIZED') && !(typeof read === 'number' && Number.isNaN(read));
}

function isZero(value: unknown): boolean {
  if (value === undefined || value === null || value === 0 || value === false || value === '' || value === '0s') return true;
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

function wrong(path: Path, given: unknown, type: string): Problem {
  return { severity: 'error', path, message: `${JSON.stringify(given)?.slice(0, 80)} is no value of this field (${type})` };
}

function formatted(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .slice(1);
}
