import { lookup } from 'node:dns/promises';

/** Addresses of a name by the system's resolver, IPv4 only as istiod configures its DNS clusters (V4_ONLY). */
export async function resolveDns(hostname: string): Promise<readonly string[]> {
  const answers = await lookup(hostname, { all: true, family: 4 });
  return answers.map(({ address }) => address);
}
