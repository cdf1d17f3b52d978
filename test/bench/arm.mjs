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
    return { ...measured, totalCpuUs: measured.cpuUs + (after.cpuUs - before.cpuUs) / total };
  }

  /** A speed counts only if the mesh did its work in the same requests. */
  async check() {
    const misses = [];
    const { forbidden, versions, client, server } = this.expect;
    const denied = this.counts[403] ?? 0;
    const others = Object.keys(this.counts).filter((status) => status !== '200' && status !== '403');
    if (others.length > 0) misses.push(`statuses ${JSON.stringify(this.counts)}`);
    if (forbidden === true ? denied === 0 : denied > 0) misses.push(`${denied} of ${this.sent} requests were denied`);
    if (versions !== undefined) {
      const [v1 = 0, v2 = 0] = [this.versions.v1, this.versions.v2];
      const sigma = Math.sqrt((v1 + v2) * 0.09);
      if (Math.abs(v2 - (v1 + v2) * 0.1) > 3 * sigma) misses.push(`weights 90/10 gave ${v1}/${v2}`);
      if (this.canaryMisses > 0) misses.push(`${this.canaryMisses} canaries missed v2`);
    }
    for (const [side, process] of [
      ['client', client && this.client],
      ['server', server && this.server],
    ]) {
      if (!process) continue;
      const { byCode } = await process.ask('metrics');
      const total = Object.values(byCode).reduce((sum, count) => sum + count, 0);
      if (total !== this.sent || (byCode[200] ?? 0) !== (this.counts[200] ?? 0))
        misses.push(`${side}: istio_requests_total ${JSON.stringify(byCode)}, sent ${JSON.stringify(this.counts)}`);
    }
    return misses;
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
