import type { AdsStreamOptions } from '../ads/ads-stream.ts';
import type { ControlPlaneEvent } from '../events.ts';
import type { PilotMetrics } from '../metrics/pilot-metrics.ts';
import { reasonOf } from '../reason-of.ts';
import type { RegistryEvents } from '../registry/workload-registry.ts';

type Tell = (event: ControlPlaneEvent) => void;

/** What the registry reports, told and counted. */
export function registryEvents(tell: Tell, metrics: PilotMetrics, onChange: () => void): RegistryEvents {
  return {
    onRegistered: ({ key, ports }) => {
      const addresses = ports.map(({ workloadPort, address, port }) => `${workloadPort}→${address}:${port}`);
      tell({ type: 'registered', workload: key, addresses });
      metrics.workload('add');
      onChange();
    },
    onWithdrawn: ({ key }, reason) => {
      tell({ type: 'withdrawn', workload: key, reason });
      metrics.workload('delete');
      onChange();
    },
  };
}

/** What streams of clients report, told and counted. */
export function streamEvents(
  tell: Tell,
  metrics: PilotMetrics,
): Pick<AdsStreamOptions, 'onConnected' | 'onDisconnected' | 'onRefused' | 'onDisbelieved' | 'onProblem' | 'onSent'> {
  return {
    onConnected: ({ id }) => tell({ type: 'connected', node: id, reason: '' }),
    onDisconnected: ({ id }, reason) => tell({ type: 'disconnected', node: id, reason }),
    onRefused: ({ id }, typeUrl, reason) => {
      metrics.refused(typeUrl);
      tell({ type: 'refused', node: id, typeUrl, reason });
    },
    onDisbelieved: ({ id }, reason) => tell({ type: 'problem', message: `${id}: ${reason}` }),
    onProblem: ({ id }, typeUrl, error) => {
      metrics.internalError();
      tell({ type: 'problem', message: `${typeUrl} for ${id}: ${reasonOf(error)}` });
    },
    onSent: (typeUrl, bytes, ms) => metrics.sent(typeUrl, bytes, ms),
  };
}
