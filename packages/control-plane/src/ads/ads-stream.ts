import grpc from '@grpc/grpc-js';
import { HEALTH_TYPE_URL, type Node, type Status } from '@ripstop/xds-api';
import type { WorkloadAccount } from '../ca/token-issuer.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import type { PushContext } from '../push/push-context.ts';
import { adminAddressOf } from '../registry/admin-address.ts';
import { labelProblem } from '../registry/bound-labels.ts';
import { type GroupMember, groupNameOf, memberOf } from '../registry/workload-groups.ts';
import type { Scheduler, WorkloadRegistry } from '../registry/workload-registry.ts';
import { type Codec, errorOf } from './codec.ts';
import type { HoldingPool } from './holding.ts';
import type { Work } from './turns.ts';
import { XdsSession } from './xds-session.ts';

export interface AdsStreamOptions {
  readonly registry: WorkloadRegistry;
  readonly scheduler: Scheduler;
  /** The push that a new stream starts with. */
  readonly current: () => PushContext;
  /** Clients that know the field forget resources that they do not hear of for so long. Default: never. */
  readonly resourceTtlMs?: number | undefined;
  readonly onConnected: (node: ProxyNode) => void;
  readonly onDisconnected: (node: ProxyNode, reason: string) => void;
  readonly onRefused: (node: ProxyNode, typeUrl: string, reason: string) => void;
  /** What a node says of itself that is not believed. */
  readonly onDisbelieved: (node: ProxyNode, reason: string) => void;
  /** A type that could not be translated for a node: a defect of ours; the client keeps what it has. */
  readonly onProblem: (node: ProxyNode, typeUrl: string, error: unknown) => void;
  readonly onSent?: (typeUrl: string, bytes: number, ms: number) => void;
  /** A client was sent everything of a push. */
  readonly onPushed?: (push: PushContext) => void;
}

/** What both variants of the protocol have in common on the wire. */
export interface WireRequest {
  readonly typeUrl: string;
  readonly node: Node | undefined;
  readonly errorDetail: Status | undefined;
  readonly responseNonce: string;
}

/** Ends the stream with this status. */
type Fail = (code: grpc.status, details: string) => void;

/** What belongs to one connection. */
export interface Wire<Request> {
  /** Who the token speaks for; undefined on the plaintext port, where everybody is believed. */
  readonly account: WorkloadAccount | undefined;
  /** Where the connection came from, `ip:port`. */
  readonly peer: string;
  readonly codec: Codec<Request>;
  readonly fail: Fail;
  readonly whenItIsMyTurn: (work: Work) => void;
  readonly holdings: HoldingPool;
}

/** A request that ends its stream. */
class Refused extends Error {
  readonly code: grpc.status;

  constructor(code: grpc.status, message: string) {
    super(message);
    this.code = code;
  }
}

/** One connected client: who it is, its session, its registration. */
export class AdsStream<Request extends WireRequest> {
  session: XdsSession | undefined;
  private readonly options: AdsStreamOptions;
  private readonly wire: Wire<Request>;
  private ended = false;
  /** What was told last, so that it is not told with every request. */
  private disbelieved = '';

  constructor(options: AdsStreamOptions, wire: Wire<Request>) {
    this.options = options;
    this.wire = wire;
  }

  receive(request: Request): void {
    if (this.ended) return;
    try {
      const node = request.node === undefined ? undefined : this.nodeOf(request.node);
      this.session ??= this.open(node);
      if (request.typeUrl === HEALTH_TYPE_URL) this.health(node, errorOf(request.errorDetail));
      else this.request(this.session, request);
    } catch (error) {
      if (error instanceof Refused) this.wire.fail(error.code, error.message);
      else this.defect(request.typeUrl, error);
    }
  }

  /** A defect of ours costs this stream, not every client's server. */
  private defect(typeUrl: string, error: unknown): void {
    if (this.session !== undefined) this.options.onProblem(this.session.node, typeUrl, error);
    this.wire.fail(grpc.status.INTERNAL, 'the request cannot be served; the control plane has logged why');
  }

  /** The transport is gone. */
  end(clean: boolean, reason: string): void {
    if (this.ended) return;
    this.ended = true;
    this.options.registry.ended(this, clean);
    if (this.session === undefined) return;
    this.session.close();
    this.options.onDisconnected(this.session.node, reason);
  }

  private open(given: ProxyNode | undefined): XdsSession {
    if (given === undefined) throw new Refused(grpc.status.INVALID_ARGUMENT, 'the first request of a stream must carry the node');
    const { current, scheduler, resourceTtlMs = 0, onConnected, onRefused, onProblem, onSent, onPushed } = this.options;
    const node = this.join(given);
    const session = new XdsSession({
      node,
      push: current(),
      scheduler,
      whenItIsMyTurn: this.wire.whenItIsMyTurn,
      holdings: this.wire.holdings,
      stateOfTheWorld: this.wire.codec.stateOfTheWorld,
      resourceTtlMs,
      send: (response, ms) => {
        if (this.ended) return;
        const bytes = this.wire.codec.respond(response);
        onSent?.(response.typeUrl, bytes, ms);
      },
      onPushed: (push) => onPushed?.(push),
      onRefused: (typeUrl, reason) => onRefused(node, typeUrl, reason),
      onProblem: (typeUrl, error) => onProblem(node, typeUrl, error),
    });
    onConnected(node);
    return session;
  }

  /** A client that names a WorkloadGroup is registered by connecting, unless it says by itself which ports it serves (our SDK does). */
  private join(node: ProxyNode): ProxyNode {
    const member = this.memberOf(node);
    if (member === undefined) return node;
    const account = member.entry.serviceAccount ?? '';
    if (this.wire.account !== undefined && account !== '' && account !== node.serviceAccount)
      throw new Refused(grpc.status.PERMISSION_DENIED, `members of the group are ${account}, the token is for ${node.serviceAccount}`);
    if (node.metadata.RIPSTOP_PORTS === undefined && !node.ripstop) {
      const problem = this.options.registry.join({ owner: this, verified: this.wire.account !== undefined, member });
      if (problem !== undefined) throw new Refused(grpc.status.PERMISSION_DENIED, problem);
    }
    return member.node;
  }

  private memberOf(node: ProxyNode): GroupMember | undefined {
    const name = groupNameOf(node);
    if (name === '') return undefined;
    const group = this.options.current().workloadGroup(node.namespace, name);
    if (group === undefined)
      throw new Refused(
        grpc.status.FAILED_PRECONDITION,
        `${node.id} cannot be registered: there is no WorkloadGroup ${node.namespace}/${name}`,
      );
    return memberOf(node, group);
  }

  private request(session: XdsSession, request: Request): void {
    const read = this.wire.codec.read(request, session.lastNonce(request.typeUrl));
    if (read !== undefined) session.request(read);
    else session.answer(request.typeUrl, request.responseNonce, errorOf(request.errorDetail));
  }

  /** `node` as it is now: its ports come and go. */
  private health(node: ProxyNode | undefined, error: string | undefined): void {
    const { registry } = this.options;
    const current = node === undefined ? this.session!.node : (this.memberOf(node)?.node ?? node);
    const problem = registry.health({ owner: this, node: current, verified: this.wire.account !== undefined, error });
    if (problem !== undefined) throw new Refused(grpc.status.PERMISSION_DENIED, problem);
  }

  /** The node as it introduces itself, if its token lets it and it has not changed its name. */
  private nodeOf(message: Node): ProxyNode {
    const node = this.reachable(this.identified(parseNode(message)));
    const before = this.session?.node;
    if (before !== undefined && (before.name !== node.name || before.namespace !== node.namespace)) {
      const names = `${before.namespace}/${before.name} to ${node.namespace}/${node.name}`;
      throw new Refused(grpc.status.INVALID_ARGUMENT, `a stream belongs to one workload: it changed from ${names}`);
    }
    return node;
  }

  /** Its admin address as far as it is the node's own; see adminAddressOf. */
  private reachable(node: ProxyNode): ProxyNode {
    const { RIPSTOP_ADMIN: said } = node.metadata;
    if (said === undefined) return node;
    const { address, problem } = adminAddressOf(said, this.wire.peer);
    if (problem !== '' && problem !== this.disbelieved) this.options.onDisbelieved(node, problem);
    this.disbelieved = problem;
    return address === said ? node : { ...node, metadata: { ...node.metadata, RIPSTOP_ADMIN: address } };
  }

  /** A node that names no account is taken for its token's. */
  private identified(node: ProxyNode): ProxyNode {
    const { account } = this.wire;
    if (account === undefined) return node;
    const claimed = node.serviceAccount === '' ? account.serviceAccount : node.serviceAccount;
    if (account.namespace !== node.namespace || account.serviceAccount !== claimed) {
      const token = `${account.namespace}/${account.serviceAccount}`;
      throw new Refused(grpc.status.PERMISSION_DENIED, `the token is for ${token}, the node says ${node.namespace}/${claimed}`);
    }
    const problem = account.labels === undefined ? undefined : labelProblem({ ...node, serviceAccount: claimed }, account.labels);
    if (problem !== undefined) throw new Refused(grpc.status.PERMISSION_DENIED, problem);
    return { ...node, serviceAccount: claimed, verified: true };
  }
}

function parseNode({ id, metadata, locality, userAgentName, userAgentVersionType, clientFeatures }: Node): ProxyNode {
  const version = userAgentVersionType?.$case === 'userAgentVersion' ? userAgentVersionType.value : '';
  try {
    return { ...proxyNodeOf({ id, metadata: metadata ?? {}, locality }), userAgent: { name: userAgentName, version }, clientFeatures };
  } catch (error) {
    throw new Refused(grpc.status.INVALID_ARGUMENT, error instanceof Error ? error.message : String(error));
  }
}
