import { selector, text2048 } from './common.ts';
import { type Kind, NETWORKING } from './kind.ts';
import { ignored, integer, map, nullable, object, text } from './schema.ts';

export const proxyConfig: Kind = {
  ...NETWORKING,
  versions: ['v1beta1'],
  kind: 'ProxyConfig',
  status: 'ignored',
  note: 'it steers a proxy process, and there is none',
  spec: object({
    selector: ignored(selector),
    concurrency: ignored(nullable({ ...integer, min: 0 })),
    environmentVariables: ignored(map(text2048)),
    image: ignored(object({ imageType: text })),
  }),
};
