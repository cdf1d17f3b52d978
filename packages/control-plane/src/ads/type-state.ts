import { markOf } from '../translate/digest.ts';
import type { EncodedResource } from './encoded-resource.ts';
import { Holding, type HoldingPool, type Names } from './holding.ts';
import type { Beat, HeldResource, Refusal, SessionRequest, TypeStatus } from './session-messages.ts';

/** A response that the client has not answered. */
interface Unanswered {
  readonly changed: readonly EncodedResource[];
  readonly removed: readonly string[];
  readonly version: string;
}

/** A client that never answers must not fill the memory. */
const MAX_UNANSWERED = 64;

/** Names that a request asks for; `all`: the whole type. */
export interface Asked {
  readonly names: Names;
  readonly all: boolean;
}

const NOTHING_ASKED: Asked = { names: new Set<string>(), all: false };

/** Subscription, versions and answers of one type on one stream. */
export class TypeState {
  readonly names: Holding;
  wildcard = false;
  /** How often the client has changed what it asks for. */
  subscription = 0;
  /** Versions that the client has, or that are on their way. */
  readonly versions: Holding;
  /** Versions that the client has taken; empty unless somebody wants to know. */
  private readonly good: Map<string, string>;
  private readonly typeUrl: string;
  private readonly keepsGood: boolean;
  private readonly pool: HoldingPool;
  private readonly unanswered = new Map<string, Unanswered>();
  private readonly refused = new Map<string, Refusal>();
  private sentNonce = '';
  private answeredNonce = '';
  private version = '';
  private takenVersion = '';
  /** What the last response of a type that is sent whole was made of. */
  list: readonly EncodedResource[] = [];

  constructor(typeUrl: string, initialVersions: Readonly<Record<string, string>>, pool: HoldingPool, keepsGood = false) {
    this.typeUrl = typeUrl;
    this.keepsGood = keepsGood;
    this.good = new Map(keepsGood ? Object.entries(initialVersions) : []);
    this.names = new Holding(pool, 'names');
    this.versions = new Holding(pool, typeUrl);
    this.versions.change(Object.entries(initialVersions).map(([name, version]) => ({ name, mark: markOf(name, version) })));
    this.pool = pool;
  }

  /** Nonce of the last response; '' before the first. */
  get sent(): string {
    return this.sentNonce;
  }

  /** The client has answered everything. */
  get settled(): boolean {
    return this.sentNonce === this.answeredNonce;
  }

  get taken(): boolean {
    return this.settled && this.refused.size === 0;
  }

  /** Version of the last response that the client has taken; '' before the first. */
  get accepted(): string {
    return this.takenVersion;
  }

  /** What the client has taken and still has. */
  get beats(): Beat[] {
    return [...this.good].filter(([name]) => this.versions.has(name)).map(([name, version]) => ({ name, version }));
  }

  get held(): HeldResource[] {
    const open = new Set([...this.unanswered.values()].flatMap(({ changed }) => changed.map(({ name }) => name)));
    return [...this.versions].map((name) => ({
      typeUrl: this.typeUrl,
      name,
      version: this.versions.version(name) ?? '',
      state: open.has(name) ? 'sent' : this.refused.has(name) ? 'refused' : 'taken',
      refusal: this.refused.get(name),
    }));
  }

  get status(): TypeStatus {
    const refused = [...this.refused.values()];
    return {
      typeUrl: this.typeUrl,
      sent: this.sentNonce,
      answered: this.answeredNonce,
      version: this.version,
      refused,
      nack: refused[0]?.reason ?? '',
    };
  }

  /** Changes the subscription; answers what the server has to say something about now. */
  subscribe({ subscribe, unsubscribe }: SessionRequest): Asked {
    // An answer alone: nearly every request.
    if (subscribe.length === 0 && unsubscribe.length === 0 && this.sentNonce !== '') return NOTHING_ASKED;
    this.subscription++;
    const all = subscribe.includes('*');
    if (all) this.wildcard = true;
    const asked = this.pool.all(all ? subscribe.filter((name) => name !== '*') : subscribe);
    const from = this.names.size;
    this.names.change(asked);
    // Everything that it ever asked for: mostly what others ask for too.
    let names: Names | undefined = from === 0 ? this.names.shared : undefined;
    if (unsubscribe.length > 0) {
      names = new Set(asked.map(({ name }) => name));
      for (const name of unsubscribe) {
        if (name === '*') this.wildcard = false;
        else if (this.names.has(name) && this.wildcard) (names as Set<string>).add(name); // Still asked for by "*": the client must hear of it again.
      }
      this.names.change([], unsubscribe);
    }
    if (!this.wildcard && (unsubscribe.length > 0 || this.sentNonce === '')) {
      this.versions.change(
        [],
        [...this.versions].filter((name) => !this.names.has(name)),
      );
      for (const name of this.refused.keys()) if (!this.names.has(name)) this.refused.delete(name);
    }
    return { names: names ?? new Set(asked.map(({ name }) => name)), all };
  }

  wants(name: string): boolean {
    return this.wildcard || this.names.has(name);
  }

  /** Takes down what goes out under this nonce; answers its version: by default that of the type as a whole. */
  record(nonce: string, changed: readonly EncodedResource[], removed: readonly string[], version?: string): string {
    this.versions.change(changed, removed);
    this.version = this.versions.content;
    this.sentNonce = nonce;
    const said = version ?? this.version;
    this.unanswered.set(nonce, { changed, removed, version: said });
    if (this.unanswered.size > MAX_UNANSWERED) this.unanswered.delete(this.unanswered.keys().next().value!);
    return said;
  }

  /** An ACK or NACK. False for a nonce that is none of this stream, or was answered already. */
  answer(nonce: string, error: string | undefined): boolean {
    const response = this.unanswered.get(nonce);
    if (response === undefined) return false;
    for (const older of this.unanswered.keys()) {
      this.unanswered.delete(older); // Answers come in order: what is older is superseded.
      if (older === nonce) break;
    }
    this.answeredNonce = nonce;
    if (this.refused.size > 0) for (const name of namesOf(response)) this.refused.delete(name);
    if (error !== undefined) this.refuse(response, error);
    else {
      this.takenVersion = response.version;
      if (this.keepsGood) this.takeGood(response);
    }
    return true;
  }

  private takeGood({ changed, removed }: Unanswered): void {
    for (const { name, version } of changed) this.good.set(name, version);
    for (const name of removed) this.good.delete(name);
  }

  /** A NACK is about a whole response; its text mostly says which resources it means. */
  private refuse(response: Unanswered, reason: string): void {
    const names = namesOf(response);
    const meant = names.filter((name) => reason.includes(name));
    const versions = new Map(response.changed.map(({ name, version }) => [name, version]));
    for (const name of meant.length > 0 ? meant : names.length > 0 ? names : [''])
      this.refused.set(name, { name, version: versions.get(name) ?? '', reason });
  }
}

function namesOf({ changed, removed }: Unanswered): string[] {
  return [...changed.map(({ name }) => name), ...removed];
}
