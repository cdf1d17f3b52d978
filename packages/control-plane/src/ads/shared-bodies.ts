import type { Scheduler } from '../registry/workload-registry.ts';
import { digestOf } from '../translate/digest.ts';
import { varintLength, writeVarint } from '../translate/varint.ts';
import type { EncodedResource } from './encoded-resource.ts';
import type { SessionResponse } from './session-messages.ts';
import type { WireMessage } from './wire.ts';

/** Field 2, length-delimited: the resources of both variants. */
const RESOURCES_TAG = 0x12;

/** `delta`: in their wrapper; `sotw`: the bare `Any`. */
export type ResourceForm = 'delta' | 'sotw';

/** Of 10,000 services the sets of ten namespaces together. */
const KEPT_BYTES = 128 * 1024 * 1024;
/** Clients that get the same mostly get it within a moment: a push, a cold start. */
const IDLE_MS = 2_000;

/**
 * Lists of resources as they stand in a message, put together once for all clients that are sent the same ones: 500 sidecars that come
 * back together read the same few buffers. Which are the same is told by content.
 */
export class SharedBodies {
  private readonly scheduler: Scheduler;
  private readonly known = new Map<string, Buffer>();
  private last: { readonly response: SessionResponse; readonly message: WireMessage } | undefined;
  private bytes = 0;
  private used = false;
  private timer: { cancel(): void } | undefined;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  /** `length`: what `encodedLength` said. */
  of(form: ResourceForm, resources: readonly EncodedResource[], length: number): Buffer {
    const key = `${form} ${resources[0]!.typeUrl} ${length} ${digestOf(resources)}`;
    this.used = true;
    const known = this.known.get(key);
    if (known !== undefined) {
      // The last that goes.
      this.known.delete(key);
      this.known.set(key, known);
      return known;
    }
    // A slab of its own: it must not keep alive what else a pool holds.
    const body = Buffer.allocUnsafeSlow(length);
    writeResources(form, resources, body, 0);
    this.keep(key, body);
    return body;
  }

  /** The message of the response before, when this one says the same: clients that came together count their nonces alike. */
  lastMessage({ typeUrl, nonce, version, changed, removed }: SessionResponse): WireMessage | undefined {
    const { last } = this;
    if (last === undefined || removed.length > 0 || last.response.changed !== changed) return undefined;
    const { response, message } = last;
    return response.nonce === nonce && response.version === version && response.typeUrl === typeUrl ? message : undefined;
  }

  keepMessage(response: SessionResponse, message: WireMessage): void {
    this.last = response.removed.length === 0 && response.changed.length > 0 ? { response, message } : undefined;
  }

  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.known.clear();
    this.last = undefined;
    this.bytes = 0;
  }

  private keep(key: string, body: Buffer): void {
    this.known.set(key, body);
    this.bytes += body.length;
    for (const [oldest, { length }] of this.known) {
      if (this.bytes <= KEPT_BYTES) break;
      this.known.delete(oldest);
      this.bytes -= length;
    }
    this.timer ??= this.scheduler.setTimer(() => this.forget(), IDLE_MS);
  }

  private forget(): void {
    this.timer = undefined;
    if (this.used) {
      this.used = false;
      this.timer = this.scheduler.setTimer(() => this.forget(), IDLE_MS);
    } else this.close();
  }
}

const lengths = {
  delta: new WeakMap<readonly EncodedResource[], number>(),
  sotw: new WeakMap<readonly EncodedResource[], number>(),
};

/** Bytes that the resources take in a message. Asked again and again of lists that many clients are sent. */
export function encodedLength(form: ResourceForm, resources: readonly EncodedResource[]): number {
  let length = lengths[form].get(resources);
  if (length === undefined) {
    length = addedUp(form, resources);
    lengths[form].set(resources, length);
  }
  return length;
}

function addedUp(form: ResourceForm, resources: readonly EncodedResource[]): number {
  let length = 0;
  for (const resource of resources) {
    const own = form === 'delta' ? resource.wire.length : anyLength(resource);
    length += 1 + varintLength(own) + own;
  }
  return length;
}

export function writeResources(form: ResourceForm, resources: readonly EncodedResource[], target: Uint8Array, start: number): void {
  let at = start;
  for (const resource of resources) {
    const { wire } = resource;
    // The `Any` ends the wrapper: type_url, then value.
    const bytes = form === 'delta' ? wire : wire.subarray(wire.length - anyLength(resource));
    target[at++] = RESOURCES_TAG;
    at = writeVarint(bytes.length, target, at);
    target.set(bytes, at);
    at += bytes.length;
  }
}

function anyLength({ any: { typeUrl, value } }: EncodedResource): number {
  const type = Buffer.byteLength(typeUrl);
  return 1 + varintLength(type) + type + (value.length === 0 ? 0 : 1 + varintLength(value.length) + value.length);
}
