import type { ConfigSource } from '@ripstop/xds-api';
import { milliseconds } from './values.ts';

/** A resource that something in force, or to come into force, waits for. */
export interface Awaited {
  readonly typeUrl: string;
  readonly name: string;
  /** Nobody waits for it longer than this; 0 = for ever. */
  readonly fetchTimeoutMs: number;
}

/** Envoy's default. */
const FETCH_TIMEOUT_MS = 15_000;

/** `initial_fetch_timeout` of a discovery. */
export function fetchTimeoutOf(source: ConfigSource | undefined): number {
  return milliseconds(source?.initialFetchTimeout, FETCH_TIMEOUT_MS);
}
