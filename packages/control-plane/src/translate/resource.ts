/** One xDS resource for one node: a ts-proto message of `typeUrl`, encoded by the snapshot cache when it is sent. */
export interface XdsResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly message: object;
}
