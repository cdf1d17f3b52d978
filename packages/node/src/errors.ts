/** Every error that the SDK throws has a stable `code`; callers test it, never `instanceof` across packages. */
export class MeshError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(`${message} [${code}]`, options);
    this.name = 'MeshError';
    this.code = code;
  }
}
