import { formatResponseFlags, type ResponseFlags } from '@ripstop/core';

/**
 * A request that ended after its response had begun (or whose TLS the mesh doesn't end), so that no response can tell why.
 * Everything earlier becomes an HTTP response instead.
 */
export class RequestError extends Error {
  readonly code: string;
  /** As %RESPONSE_FLAGS%. */
  readonly flags: string;
  /** As %RESPONSE_CODE_DETAILS%. */
  readonly details: string;

  constructor(code: string, message: string, flags: ResponseFlags, details: string, cause?: unknown) {
    // Made per failed request: the stack would show this driver only.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message, cause === undefined ? undefined : { cause });
    Error.stackTraceLimit = limit;
    this.name = 'RequestError';
    this.code = code;
    this.flags = formatResponseFlags(flags);
    this.details = details;
  }
}
