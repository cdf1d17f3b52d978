import type { CallStream, MessageContext } from './call-stream.ts';

/** Length-prefixed message: one byte of flags, four of length. */
export const FRAME_BYTES = 5;

class Message {
  readonly bytes: Buffer;
  readonly flags: number | undefined;
  #written: MessageContext['callback'];

  constructor(context: MessageContext, bytes: Buffer) {
    this.bytes = bytes;
    this.flags = context.flags;
    this.#written = context.callback;
  }

  /** The sender is told once, however often the message is sent. */
  written(): void {
    const run = this.#written;
    this.#written = undefined;
    run?.();
  }
}

/**
 * The request of a call: messages on their way to the attempt that runs, kept for another one until the call is committed or they
 * outgrow the route's buffer limit (Envoy: then there is no retry). grpc-js takes one message at a time and calls back.
 */
export class RequestMessages {
  #limitBytes = Number.POSITIVE_INFINITY;
  #messages: Message[] = [];
  #next = 0;
  #keptBytes = 0;
  #keeping = true;
  #call: CallStream | undefined;
  #writing = false;
  #halfClosed = false;
  #halfCloseSent = false;

  /** True while another attempt could be sent everything again. */
  get replayable(): boolean {
    return this.#keeping;
  }

  /** The app has sent all of it. */
  get complete(): boolean {
    return this.#halfClosed;
  }

  /** What was pushed and is still here, in order. */
  get queued(): readonly { readonly bytes: Buffer; readonly flags: number | undefined }[] {
    return this.#messages;
  }

  /** How many bytes of the wire they are. */
  get framedBytes(): number {
    return this.#messages.reduce((sum, { bytes }) => sum + FRAME_BYTES + bytes.length, 0);
  }

  /** As they are on the wire, uncompressed. */
  framed(): Buffer {
    return Buffer.concat(
      this.#messages.flatMap(({ bytes }) => {
        const prefix = Buffer.alloc(FRAME_BYTES);
        prefix.writeUInt32BE(bytes.length, 1);
        return [prefix, bytes];
      }),
    );
  }

  /** The sender may go on, though nothing has been sent yet. */
  accept(): void {
    for (const message of this.#messages) message.written();
  }

  /** Beyond this many bytes nothing is kept for another attempt. */
  limit(bytes: number): void {
    this.#limitBytes = bytes;
    if (this.#keptBytes > bytes) this.commit();
  }

  push(context: MessageContext, bytes: Buffer): void {
    this.#messages.push(new Message(context, bytes));
    this.#keptBytes += bytes.length;
    if (this.#keeping && this.#keptBytes > this.#limitBytes) this.commit();
    this.#pump();
  }

  halfClose(): void {
    this.#halfClosed = true;
    this.#pump();
  }

  /** Sends everything from the start to this attempt, then what follows. */
  attach(call: CallStream): void {
    this.#call = call;
    this.#next = 0;
    this.#writing = false;
    this.#halfCloseSent = false;
    this.#pump();
  }

  /** Harmless when another attempt has taken its place. */
  detach(call: CallStream): void {
    if (this.#call === call) this.#call = undefined;
  }

  /** There will be no other attempt: what was sent is forgotten. */
  commit(): void {
    if (!this.#keeping) return;
    this.#keeping = false;
    this.#messages = this.#messages.slice(this.#next);
    this.#next = 0;
  }

  /** The call is over: nobody waits for a write any more. */
  close(): void {
    this.#call = undefined;
    const left = this.#messages;
    this.#messages = [];
    for (const message of left) message.written();
  }

  #pump(): void {
    const call = this.#call;
    if (call === undefined) return;
    if (!this.#writing && this.#next < this.#messages.length) this.#send(call);
    if (this.#halfClosed && !this.#halfCloseSent && this.#next === this.#messages.length) {
      this.#halfCloseSent = true;
      call.halfClose();
    }
  }

  #send(call: CallStream): void {
    const message = this.#messages[this.#next]!;
    if (this.#keeping) this.#next++;
    else this.#messages.shift();
    this.#writing = true;
    const callback = (): void => {
      message.written();
      if (call !== this.#call) return;
      this.#writing = false;
      this.#pump();
    };
    call.sendMessageWithContext(message.flags === undefined ? { callback } : { callback, flags: message.flags }, message.bytes);
  }
}
