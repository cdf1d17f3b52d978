import type { DiscoveryRequest } from '@ripstop/xds-api';
import { NAMED_TYPES } from '../translate/translate.ts';
import { type Codec, errorOf, type Out } from './codec.ts';
import type { SessionRequest, SessionResponse } from './session-messages.ts';
import { sotwMessage } from './wire.ts';

/**
 * State of the world: requests carry all names each time; CDS and LDS responses carry everything, EDS and RDS what changed. A client
 * that has never named anything of CDS or LDS asks for everything; once it has, an empty list means nothing.
 */
export class SotwCodec implements Codec<DiscoveryRequest> {
  readonly stateOfTheWorld = true;
  private readonly names = new Map<string, ReadonlySet<string>>();
  private readonly out: Out;

  constructor(out: Out) {
    this.out = out;
  }

  /** Undefined for a request that answers an older response than the last: the client has not seen that one yet. */
  read(request: DiscoveryRequest, lastNonce: string): SessionRequest | undefined {
    const { typeUrl, resourceNames, responseNonce } = request;
    if (responseNonce !== '' && lastNonce !== '' && responseNonce !== lastNonce) return undefined;
    const known = this.names.get(typeUrl);
    const unnamed = known === undefined || (known.size === 1 && known.has('*') && !this.named.has(typeUrl));
    if (resourceNames.length > 0) this.named.add(typeUrl);
    const all = resourceNames.length === 0 && unnamed && !NAMED_TYPES.has(typeUrl);
    const now = new Set(all ? ['*'] : resourceNames);
    this.names.set(typeUrl, now);
    // Without a nonce the client starts anew: it is told everything that it asks for.
    const before = responseNonce === '' ? NOTHING : (known ?? NOTHING);
    return {
      typeUrl,
      subscribe: [...now].filter((name) => !before.has(name)),
      unsubscribe: [...(known ?? NOTHING)].filter((name) => !now.has(name)),
      initialVersions: {},
      nonce: responseNonce,
      error: errorOf(request.errorDetail),
    };
  }

  respond(response: SessionResponse): number {
    return this.out.write(sotwMessage(response, this.out.bodies));
  }

  /** Types of which the client has named something. */
  private readonly named = new Set<string>();
}

const NOTHING: ReadonlySet<string> = new Set();
