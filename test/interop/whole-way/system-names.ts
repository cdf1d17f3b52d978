import dns from 'node:dns';

/**
 * Until disposed, this process's own lookups (grpc-js makes them for the hosts that it dials) end where `addressOf` says. Loopback
 * addresses stay.
 */
export function answerLookups(addressOf: (name: string) => string): Disposable {
  const { lookup } = dns.promises;
  const answer = async (name: string, options?: dns.LookupOptions): Promise<dns.LookupAddress | dns.LookupAddress[]> => {
    const found = { address: addressOf(name), family: 4 };
    return options?.all === true ? [found] : found;
  };
  dns.promises.lookup = answer as typeof lookup;
  return {
    [Symbol.dispose]: () => {
      dns.promises.lookup = lookup;
    },
  };
}
