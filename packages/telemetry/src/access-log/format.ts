export { compileAccessLog, compileFormat, type LogEntry } from '@ripstop/core';
