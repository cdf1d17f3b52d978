/** How the two outcomes of a bench are called in its answers, and the label of `istio_requests_total` that has them. */
const HTTP_CODES = { ok: '200', denied: '403', label: 'response_code' };
export const GRPC_CODES = { ok: '0', denied: '7', label: 'grpc_response_status' };

/** A client, a server, where the requests go, and what is known about them afterwards. */
export class Arm {
  constructor(subject, client, server, origin, expect = {}) {
    this.subject = subject;
    this.client = client;
    this.server = server;
    this.origin = origin;
    this.expect = expect;
    this.sent = 0;
    this.counts = {};
    this.versions = {};
    this.canaryMisses = 0;
    this.badBodies = 0;
  }

  async slice(total, inFlight) {
    const before = await this.server.ask('report');
    const { path, forbiddenPath } = this.subject;
    const measured = await this.client.ask('slice', { origin: this.origin, path, forbiddenPath, total, inFlight });
    const after = await this.server.ask('report');
    this.sent += total;
    add(this.counts, measured.counts);
    add(this.versions, measured.versions);
    this.canaryMisses += measured.canaryMisses;
    this.badBodies += measured.badBodies;
    const serverCpuUs = (after.cpuUs - before.cpuUs) / total;
    return { ...measured, serverCpuUs, totalCpuUs: measured.cpuUs + serverCpuUs };
  }

  /** A speed counts only if the mesh did its work in the same requests. */
  async check() {
    const misses = [];
    const { forbidden, versions, client, server, plaintextRefusedAt, codes = HTTP_CODES } = this.expect;
    const { [codes.ok]: ok = 0, [codes.denied]: denied = 0, ...others } = this.counts;
    if (Object.keys(others).length > 0) misses.push(`statuses ${JSON.stringify(this.counts)}`);
    if (this.badBodies > 0) misses.push(`${this.badBodies} bodies were not the expected ones`);
    if (forbidden === true ? denied === 0 : denied > 0) misses.push(`${denied} of ${this.sent} requests were denied`);
    if (versions === true) misses.push(...this.#checkVersions());
    const { served, identified } = await this.server.ask('report');
    if (served !== ok) misses.push(`the app served ${served} requests, the client saw ${ok} answers`);
    if (server && identified !== ok) misses.push(`${ok - identified} requests came to the app without request id or caller`);
    if (client) misses.push(...(await this.#checkMetrics('client', this.client, codes)));
    if (server) misses.push(...(await this.#checkMetrics('server', this.server, codes)));
    for (const port of plaintextRefusedAt ?? [])
      if (await answers(`http://127.0.0.1:${port}${this.subject.path}`)) misses.push('the server answered a plaintext request');
    return misses;
  }

  #checkVersions() {
    const { v1 = 0, v2 = 0 } = this.versions;
    const sigma = Math.sqrt((v1 + v2) * 0.09);
    const misses = [];
    if (Math.abs(v2 - (v1 + v2) * 0.1) > 4 * sigma) misses.push(`weights 90/10 gave ${v1}/${v2}`);
    if (this.canaryMisses > 0) misses.push(`${this.canaryMisses} canaries missed v2`);
    return misses;
  }

  async #checkMetrics(side, process, { label }) {
    const { byCode } = await process.ask('metrics', { label });
    const same = Object.keys({ ...byCode, ...this.counts }).every((code) => byCode[code] === this.counts[code]);
    return same ? [] : [`${side}: istio_requests_total ${JSON.stringify(byCode)}, sent ${JSON.stringify(this.counts)}`];
  }

  stop() {
    this.client.stop();
    this.server.stop();
    this.onStop?.();
  }
}

function add(sums, counts) {
  for (const [key, count] of Object.entries(counts)) sums[key] = (sums[key] ?? 0) + count;
}

async function answers(url) {
  try {
    await fetch(url, { signal: AbortSignal.timeout(2_000) });
    return true;
  } catch {
    return false; // The connection was refused, as it must be.
  }
}
