import { createHash } from 'node:crypto';
import { type Any, codecOf } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { translate } from '../translate/translate.ts';

/** A resource ready for the wire. Equal content has an equal version, on every server and after every restart. */
export interface EncodedResource {
  readonly name: string;
  readonly version: string;
  readonly any: Any;
}

/** The resources of one type for one node, encoded. */
export function encodeResources(typeUrl: string, node: ProxyNode, push: PushContext, names: readonly string[]): EncodedResource[] {
  const codec = codecOf(typeUrl);
  if (codec === undefined) return [];
  return translate(typeUrl, node, push, names).map(({ name, message }) => {
    const value = codec.encode(message).finish();
    return {
      name,
      version: createHash('sha1').update(value).digest('base64url').slice(0, 16),
      any: { typeUrl, value: value as Any['value'] },
    };
  });
}
