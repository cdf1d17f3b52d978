/** What a host says about its load (xds.data.orca.v3.OrcaLoadReport), as far as weights are made of it. */
export interface LoadReport {
  applicationUtilization: number;
  cpuUtilization: number;
  rps: number;
  eps: number;
  /** By their full names: `named_metrics.foo`, `utilization.foo`. */
  readonly named: Map<string, number>;
}

type HeaderOf = (name: string) => string | undefined;

const BINARY_HEADER = 'endpoint-load-metrics-bin';
const HEADER = 'endpoint-load-metrics';

/** The report in response headers or trailers; undefined without one, or when it cannot be read (Envoy too passes over it). */
export function loadReportOf(header: HeaderOf): LoadReport | undefined {
  const binary = header(BINARY_HEADER);
  if (binary !== undefined) return readBinary(binary);
  const value = header(HEADER);
  if (value === undefined) return undefined;
  const text = value.slice(5);
  if (value.startsWith('TEXT ')) return readText(text);
  if (value.startsWith('JSON ')) return readJson(text);
  return value.startsWith('BIN ') ? readBinary(value.slice(4)) : undefined;
}

function emptyReport(): LoadReport {
  return { applicationUtilization: 0, cpuUtilization: 0, rps: 0, eps: 0, named: new Map() };
}

const MAPS: ReadonlySet<string> = new Set(['named_metrics', 'utilization', 'request_cost']);

/** False for a name that reports do not have. */
function put(report: LoadReport, name: string, value: number): boolean {
  switch (name) {
    case 'application_utilization':
      report.applicationUtilization = value;
      return true;
    case 'cpu_utilization':
      report.cpuUtilization = value;
      return true;
    case 'rps_fractional':
      report.rps = value;
      return true;
    case 'eps':
      report.eps = value;
      return true;
    case 'mem_utilization':
    case 'rps':
      return true;
    default: {
      const dot = name.indexOf('.');
      if (!MAPS.has(name.slice(0, dot))) return false;
      report.named.set(name, value);
      return true;
    }
  }
}

/** `cpu_utilization=0.3,named_metrics.queue=2`. */
function readText(text: string): LoadReport | undefined {
  const report = emptyReport();
  for (const pair of text.split(',')) {
    const equals = pair.indexOf('=');
    const value = Number(pair.slice(equals + 1).trim());
    if (equals <= 0 || !Number.isFinite(value) || !put(report, pair.slice(0, equals).trim(), value)) return undefined;
  }
  return report;
}

/** Protobuf JSON; names in either form. */
function readJson(text: string): LoadReport | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined; // As one that is not there.
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const report = emptyReport();
  for (const [key, value] of Object.entries(parsed)) {
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (typeof value === 'object' && value !== null) {
      for (const [inner, number] of Object.entries(value)) if (!put(report, `${name}.${inner}`, Number(number))) return undefined;
    } else if (!put(report, name, Number(value))) return undefined;
  }
  return report;
}

/** Field numbers of the message. */
const DOUBLES = new Map([
  [1, 'cpu_utilization'],
  [2, 'mem_utilization'],
  [6, 'rps_fractional'],
  [7, 'eps'],
  [9, 'application_utilization'],
]);
const DOUBLE_MAPS = new Map([
  [4, 'request_cost'],
  [5, 'utilization'],
  [8, 'named_metrics'],
]);

function readBinary(base64: string): LoadReport | undefined {
  const bytes = decodeBase64(base64);
  return bytes === undefined ? undefined : readLoadReport(bytes);
}

/** An encoded OrcaLoadReport; undefined when it cannot be read. */
export function readLoadReport(bytes: Uint8Array): LoadReport | undefined {
  const report = emptyReport();
  const complete = readFields(bytes, (field, value) => {
    const name = DOUBLES.get(field);
    if (typeof value === 'number') {
      if (name !== undefined) put(report, name, value);
      return;
    }
    const map = DOUBLE_MAPS.get(field);
    if (map === undefined) return;
    let key = '';
    let metric = 0;
    readFields(value, (inner, entry) => {
      if (inner === 1 && typeof entry !== 'number') key = new TextDecoder().decode(entry);
      else if (inner === 2 && typeof entry === 'number') metric = entry;
    });
    put(report, `${map}.${key}`, metric);
  });
  return complete ? report : undefined;
}

/** Calls for each double and each run of bytes of a protobuf message; false when it breaks off. */
function readFields(bytes: Uint8Array, take: (field: number, value: number | Uint8Array) => void): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    at = bytes.length + 1;
    return 0;
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    if (tag % 8 === 0) varint();
    else if (tag % 8 === 1 && at + 8 <= bytes.length) {
      take(field, view.getFloat64(at, true));
      at += 8;
    } else if (tag % 8 === 2) {
      const length = varint();
      if (at + length > bytes.length) return false;
      take(field, bytes.subarray(at, at + length));
      at += length;
    } else return false;
  }
  return at === bytes.length;
}

function decodeBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined; // As one that is not there.
  }
}
