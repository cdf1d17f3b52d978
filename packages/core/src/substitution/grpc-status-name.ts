const CAMEL = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** `NotFound`, `NOT_FOUND` or 5; undefined when there is no gRPC status. */
export function grpcStatusName(status: number | undefined, form: string | undefined): string | number | undefined {
  if (status === undefined) return undefined;
  const camel = CAMEL[status];
  if (form === 'NUMBER') return status;
  if (camel === undefined) return String(status);
  if (form !== 'SNAKE_STRING' || status === 0) return camel;
  return status === 1 ? 'CANCELLED' : camel.replace(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase();
}
