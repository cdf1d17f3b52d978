import type { Cancel, Clock, Timer } from '@ripstop/core';
import type { Connected } from './mtls-connector.ts';
import type { ConnectError } from './reset-reason.ts';

/** Envoy waits so long for one address before it tries the next one beside it. */
const NEXT_ADDRESS_MS = 300;

/** Dials one address; the answer ends the attempt. */
export type DialAddress = (address: string, done: Connected) => Cancel;

/**
 * Dials a host that has several addresses (RFC 8305, as Envoy): the next one when the one before has failed or taken its time. The first
 * connection that stands wins, the others end; when all fail, the last failure is told.
 */
export function dialInTurn(given: readonly string[], clock: Clock, dial: DialAddress, done: Connected): void {
  const addresses = [...new Set(given)];
  const running = new Map<string, Cancel>();
  let next = 0;
  let over = false;
  let timer: Timer | undefined;
  let failure: ConnectError | undefined;

  const startNext = (): void => {
    timer?.cancel();
    timer = undefined;
    const address = addresses[next++];
    if (address === undefined) return;
    if (next < addresses.length) timer = clock.setTimer(startNext, NEXT_ADDRESS_MS);
    running.set(
      address,
      dial(address, (error, socket, http2) => {
        running.delete(address);
        if (over) {
          socket?.destroy();
          return;
        }
        if (error === undefined) {
          over = true;
          timer?.cancel();
          for (const cancel of running.values()) cancel();
          done(undefined, socket, http2);
          return;
        }
        failure = error;
        if (next < addresses.length) startNext();
        else if (running.size === 0) done(failure, undefined, false);
      }),
    );
  };
  startNext();
}
