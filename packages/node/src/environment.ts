import type { Clock, ConfigSource, DnsFamily, Random } from '@ripstop/core';
import type { BindServer } from '@ripstop/server';
import type { OpenSocket } from '@ripstop/undici';
import { resolveDns } from './dns.ts';
import type { NodeDescription } from './node-identity.ts';
import { systemClock } from './system-clock.ts';

/** What a mesh stands on. The system's own by default; @ripstop/testing puts a virtual clock and a network in memory in its place. */
export interface MeshEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly resolveDns: (hostname: string, family: DnsFamily) => Promise<readonly string[]>;
  /** Connections to endpoints over HTTP; default node:net. */
  readonly openSocket?: OpenSocket;
  /** How HTTP listeners get their connections; default `server.listen`. */
  readonly bindServer?: BindServer;
  /** Configuration in the place of RIPSTOP_XDS and RIPSTOP_CONFIG. */
  readonly configSource?: (node: NodeDescription) => ConfigSource;
  /** The certificate authority in the place of RIPSTOP_CA. */
  readonly signCsr?: (csrPem: string, spiffeId: string, ttlSeconds: number) => Promise<readonly string[]>;
}

export const systemEnvironment: MeshEnvironment = { clock: systemClock, random: Math.random, resolveDns };
