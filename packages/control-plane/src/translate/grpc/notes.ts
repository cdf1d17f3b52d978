/** Something that the YAML asks for and a gRPC client does not do, or does otherwise. */
export interface GrpcNote {
  /** Name of the xDS resource. */
  readonly resource: string;
  readonly text: string;
}

export type TakeNote = (resource: string, text: string) => void;

export const noNotes: TakeNote = () => {};
