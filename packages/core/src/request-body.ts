/** The bytes of a request's body that are here already. */
export interface BodyStart {
  readonly bytes: Uint8Array;
  /** Nothing comes after them. */
  readonly complete: boolean;
}

/** A request's body before anybody has read it; the app or the upstream still gets all of it. Drivers implement it over their own streams. */
export interface RequestBody {
  /** Resolves when more than `bytes` are here, or all there is. Undefined: this driver cannot look into bodies. */
  read(bytes: number): Promise<BodyStart | undefined>;
}

/** A body that a driver cannot look into. */
export const UNREADABLE_BODY: RequestBody = { read: () => Promise.resolve(undefined) };
