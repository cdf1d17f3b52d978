import type { DeltaDiscoveryRequest } from '@ripstop/xds-api';
import { NAMED_TYPES } from '../translate/translate.ts';
import { type Codec, errorOf, type Out } from './codec.ts';
import type { SessionRequest, SessionResponse } from './session-messages.ts';
import { deltaMessage } from './wire.ts';

/** Incremental xDS: requests carry changes of the subscription, responses what changed and what is gone. */
export class DeltaCodec implements Codec<DeltaDiscoveryRequest> {
  readonly stateOfTheWorld = false;
  private readonly seen = new Set<string>();
  private readonly out: Out;

  constructor(out: Out) {
    this.out = out;
  }

  read(request: DeltaDiscoveryRequest): SessionRequest {
    const { typeUrl, resourceNamesSubscribe, resourceNamesUnsubscribe } = request;
    const first = !this.seen.has(typeUrl);
    this.seen.add(typeUrl);
    // A first request without names asks for everything (CDS and LDS only).
    const all = first && resourceNamesSubscribe.length === 0 && !NAMED_TYPES.has(typeUrl);
    return {
      typeUrl,
      subscribe: all ? ['*'] : resourceNamesSubscribe,
      unsubscribe: resourceNamesUnsubscribe,
      initialVersions: request.initialResourceVersions,
      nonce: request.responseNonce,
      error: errorOf(request.errorDetail),
    };
  }

  respond(response: SessionResponse): number {
    return this.out.write(deltaMessage(response, this.out.bodies));
  }
}
