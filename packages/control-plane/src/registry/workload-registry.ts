import type { ProxyNode } from '../model/proxy-node.ts';
import type { WorkloadInstance, WorkloadPort } from '../model/workload.ts';
import type { SavedWorkload } from './saved-workloads.ts';
import type { GroupMember } from './workload-groups.ts';

/** Timers as the registry needs them. */
export interface Scheduler {
  setTimer(run: () => void, delayMs: number): { cancel(): void };
}

export interface RegistryEvents {
  onRegistered(instance: WorkloadInstance): void;
  onWithdrawn(instance: WorkloadInstance, reason: string): void;
}

/** istiod keeps an auto-registered workload this long after its stream broke. */
export const GRACE_MS = 10_000;
/**
 * What an earlier run knew is kept longer: while nobody answered, clients have come to wait up to 30 s (Envoy's back-off) before they try
 * again, and whoever is withdrawn before that is missing to everybody.
 */
export const RESTORED_GRACE_MS: number = 30_000 + GRACE_MS;

/** Speaks for workloads that no stream of this run speaks for yet. */
const RESTORED = {};

/** What a workload says about itself over its stream. */
export interface HealthReport {
  /** The stream that speaks. */
  readonly owner: object;
  readonly node: ProxyNode;
  /** A token proved the node's namespace and service account. */
  readonly verified: boolean;
  /** Undefined: it serves the ports that its node names now. Else why it does not. */
  readonly error: string | undefined;
}

interface Entry {
  readonly instance: WorkloadInstance;
  /** The stream that speaks for it. */
  readonly owner: object;
  readonly verified: boolean;
  grace: { cancel(): void } | undefined;
}

/**
 * Processes that registered themselves over their xDS stream. A stream that ends cleanly takes its workload along at once; one that
 * breaks leaves it for ten seconds, in which the same workload may come back on another stream.
 */
export class WorkloadRegistry {
  private readonly entries = new Map<string, Entry>();
  private readonly scheduler: Scheduler;
  private readonly events: RegistryEvents;

  constructor(scheduler: Scheduler, events: RegistryEvents) {
    this.scheduler = scheduler;
    this.events = events;
  }

  get instances(): WorkloadInstance[] {
    return [...this.entries.values()].map(({ instance }) => instance);
  }

  /** Takes over what another run of this control plane knew. Each is gone after {@link RESTORED_GRACE_MS} unless it speaks again. */
  restore(workloads: readonly SavedWorkload[]): void {
    for (const { instance, verified } of workloads) {
      const grace = this.scheduler.setTimer(() => this.remove(instance.key, 'it did not come back after the restart'), RESTORED_GRACE_MS);
      this.entries.set(instance.key, { instance, owner: RESTORED, verified, grace });
    }
  }

  /** For {@link restore}. */
  get saved(): SavedWorkload[] {
    return [...this.entries.values()].map(({ instance, verified }) => ({ instance, verified }));
  }

  /**
   * Istio's HealthInformation. Answers why it is not taken: a name belongs to the service account that registered it, and who has
   * proved an account is not replaced by somebody who has not.
   */
  health({ owner, node, verified, error }: HealthReport): string | undefined {
    const key = `${node.name}.${node.namespace}`;
    const before = this.entries.get(key);
    if (before !== undefined && before.owner !== owner) {
      const { serviceAccount } = before.instance;
      if (serviceAccount !== node.serviceAccount || (before.verified && !verified))
        return `workload ${key} is registered by service account ${serviceAccount || '(none)'}; another one needs another name`;
    }
    const member = before?.instance.entry;
    // A member of a group stays known while its app is unhealthy.
    if (error !== undefined && member === undefined) this.remove(key, error);
    else if (member !== undefined)
      this.put({ ...before!.instance, health: error === undefined ? 'HEALTHY' : 'UNHEALTHY' }, { owner, verified });
    else this.put(registeredInstance(node), { owner, verified });
    return undefined;
  }

  /**
   * A client has connected that names a WorkloadGroup. It serves at once, or when it has said that it is healthy. Answers why it is not
   * taken, as {@link health}.
   */
  join({
    owner,
    verified,
    member,
  }: {
    readonly owner: object;
    readonly verified: boolean;
    readonly member: GroupMember;
  }): string | undefined {
    const { node, name, entry, probed } = member;
    const instance = registeredInstance(node);
    const before = this.entries.get(instance.key);
    if (before !== undefined && (before.instance.serviceAccount !== node.serviceAccount || (before.verified && !verified)))
      return `workload ${instance.key} is registered by service account ${before.instance.serviceAccount || '(none)'}; another one needs another name`;
    // One that comes back is as healthy as it was.
    const health = before?.instance.entry === undefined ? (probed ? 'UNHEALTHY' : 'HEALTHY') : before.instance.health;
    this.put({ ...instance, health, entry: { name, spec: entry } }, { owner, verified });
    return undefined;
  }

  private put(instance: WorkloadInstance, { owner, verified }: { readonly owner: object; readonly verified: boolean }): void {
    const before = this.entries.get(instance.key);
    before?.grace?.cancel();
    this.entries.set(instance.key, { instance, owner, verified, grace: undefined });
    if (before === undefined || JSON.stringify(before.instance) !== JSON.stringify(instance)) this.events.onRegistered(instance);
  }

  /** The stream is gone. */
  ended(owner: object, clean: boolean): void {
    for (const [key, entry] of this.entries) {
      if (entry.owner !== owner) continue;
      if (clean) this.remove(key, 'the stream was closed');
      else entry.grace ??= this.scheduler.setTimer(() => this.remove(key, 'the stream was lost'), GRACE_MS);
    }
  }

  close(): void {
    for (const { grace } of this.entries.values()) grace?.cancel();
    this.entries.clear();
  }

  private remove(key: string, reason: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    entry.grace?.cancel();
    this.entries.delete(key);
    this.events.onWithdrawn(entry.instance, reason);
  }
}

/** The instance that a node's metadata describes. */
function registeredInstance(node: ProxyNode): WorkloadInstance {
  const admin = node.metadata.RIPSTOP_ADMIN;
  return {
    key: `${node.name}.${node.namespace}`,
    name: node.name,
    namespace: node.namespace,
    serviceAccount: node.serviceAccount,
    labels: node.labels,
    address: node.ipAddresses[0] ?? '127.0.0.1',
    ports: portsOf(node.metadata.RIPSTOP_PORTS),
    health: 'HEALTHY',
    mtls: node.labels['security.istio.io/tlsMode'] === 'istio',
    workloadName: node.workloadName,
    clusterId: node.clusterId,
    locality: node.locality,
    nodeName: '',
    adminAddress: typeof admin === 'string' ? admin : '',
  };
}

/** A port that is not of the right shape is not one: a client cannot break the others' endpoints. */
function portsOf(value: unknown): WorkloadPort[] {
  if (!Array.isArray(value)) return [];
  return (value as unknown[]).flatMap((entry): WorkloadPort[] => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { workloadPort, name, address, port } = entry as Record<string, unknown>;
    if (!isPort(workloadPort) || !isPort(port) || typeof address !== 'string' || address === '') return [];
    return [{ workloadPort, port, address, name: typeof name === 'string' ? name : '' }];
  });
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
}
