import { existsSync } from 'node:fs';
import type { Clock, ConfigSource, Random } from '@ripstop/core';
import type { Identity } from '@ripstop/identity';
import { type AdsSource, createAdsSource, createCachedSource } from '@ripstop/xds-client';
import type { MeshEnvironment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { NodeIdentity } from './node-identity.ts';
import { formatAddress, type Settings } from './settings.ts';

/** Where the configuration in force came from. */
export type ConfigOrigin = 'none' | 'cache' | 'live' | 'embedded';

export interface OpenConfigSource {
  readonly source: ConfigSource;
  /** The control plane, where there is one. */
  readonly ads: AdsSource | undefined;
  readonly origin: () => ConfigOrigin;
}

export interface ConfigSourceEnv {
  readonly settings: Settings;
  readonly environment: MeshEnvironment;
  readonly node: NodeIdentity;
  readonly identity: Identity | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** The environment's own source, a folder that is translated in this process, or a control plane, with what it said last on disk. */
export async function openConfigSource({
  settings,
  environment,
  node,
  identity,
  clock,
  random,
}: ConfigSourceEnv): Promise<OpenConfigSource> {
  const embedded = (source: ConfigSource): OpenConfigSource => ({ source, ads: undefined, origin: () => 'embedded' });
  if (environment.configSource !== undefined) return embedded(environment.configSource(node.describe()));
  if (settings.configDir !== undefined) return embedded(await createEmbedded(settings.configDir, node, settings.log));
  if (settings.xds === undefined)
    throw new MeshError(
      'RIPSTOP_NOT_CONFIGURED',
      'nowhere to get configuration from: start the program with `ripstop run`, or set RIPSTOP_XDS or RIPSTOP_CONFIG',
    );
  const ads = createAdsSource({
    address: formatAddress(settings.xds),
    ...(settings.xds.tls
      ? {
          tls: {
            rootCertificatePem: () => identity?.current()?.trustBundlePem ?? settings.rootCertificatePem ?? '',
            certificate: () => identity?.current(),
          },
        }
      : {}),
    ...(settings.token === undefined ? {} : { token: streamToken(settings.token, identity) }),
    node: () => node.describe(),
    clock,
    random,
    log: settings.log,
  });
  if (settings.cacheDir === undefined) return { source: ads, ads, origin: () => 'live' };
  const cached = createCachedSource(ads, { dir: settings.cacheDir, clock, log: settings.log });
  return { source: cached, ads, origin: () => cached.origin() };
}

/**
 * The token of the ADS stream. One that is good for a single certificate is spent on that; the stream comes with the certificate. The
 * same when a token cannot be read any more.
 */
function streamToken(token: () => string, identity: Identity | undefined): () => string | Promise<string> {
  return async () => {
    let text: string;
    try {
      text = token();
    } catch (error) {
      if (identity?.current() === undefined) throw error;
      return '';
    }
    if (identity === undefined || !isSingleUse(text)) return text;
    await identity.ready();
    return '';
  };
}

/** `use: once` in the payload of a join token (ripstop token --single-use). */
function isSingleUse(token: string): boolean {
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    return (payload as { readonly use?: unknown } | null)?.use === 'once';
  } catch {
    return false; // Another issuer's token, or none; the control plane says what is wrong with it.
  }
}

/** The translator is a large import that only RIPSTOP_CONFIG needs. */
async function createEmbedded(dir: string, node: NodeIdentity, log: (line: string) => void): Promise<ConfigSource> {
  if (!existsSync(dir))
    throw new MeshError(
      'RIPSTOP_BAD_SETTING',
      `RIPSTOP_CONFIG=file:${dir}: there is no such file or folder (from ${process.cwd()}): make it, or name the one that holds the YAML`,
    );
  const { createEmbeddedSource } = await import('@ripstop/control-plane');
  return createEmbeddedSource({ dir, node: node.describe(), onEvent: (event) => log(JSON.stringify(event)) });
}
