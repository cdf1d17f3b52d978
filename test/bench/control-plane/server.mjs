// Child of the bench: the control plane, with its event loop under watch.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { createControlPlane, eventLoopFirst } from '../../../packages/control-plane/dist/index.mjs';
import { serveCommands } from '../process.mjs';
import { ThreadWatch } from './thread-watch.mjs';

let plane;
let cpu = process.cpuUsage();
const problems = [];
const delay = monitorEventLoopDelay({ resolution: 1 });
let inspector;
const thread = new ThreadWatch();
let collectedMs = 0;
let longestCollectionMs = 0;

serveCommands({
  async start({ source }) {
    const startedMs = performance.now();
    // As the process of `ripstop serve` does.
    const { problem } = eventLoopFirst();
    if (problem !== undefined) problems.push(problem);
    plane = createControlPlane({
      source,
      xds: '127.0.0.1:0',
      xdsTls: '',
      http: '',
      onEvent: (event) => {
        if (event.type === 'problem' || event.type === 'refused') problems.push(JSON.stringify(event));
      },
    });
    const { xds } = await plane.start();
    delay.enable();
    thread.start();
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        collectedMs += duration;
        longestCollectionMs = Math.max(longestCollectionMs, duration);
      }
    }).observe({ entryTypes: ['gc'] });
    return { xds, ms: performance.now() - startedMs, documents: plane.objects.length, findings: plane.findings.length };
  },

  /** Longest stall and CPU since the last time; memory now. */
  look() {
    const used = process.cpuUsage(cpu);
    cpu = process.cpuUsage();
    const { clock, cpuMs: stallCpuMs, waitedMs } = thread.take();
    const answer = {
      stallMs: delay.max / 1e6,
      stallCpuMs,
      // In the longest by the clock: work of ours, and waiting for a core that somebody else had.
      stall: clock,
      waitedMs,
      collectedMs,
      longestCollectionMs,
      cpuMs: (used.user + used.system) / 1e3,
      rssMb: process.memoryUsage.rss() / 2 ** 20,
      heapMb: process.memoryUsage().heapUsed / 2 ** 20,
      problems,
    };
    delay.reset();
    collectedMs = 0;
    longestCollectionMs = 0;
    return answer;
  },

  /** Profiles until it is asked for the profile. */
  async profile({ dir, phase }) {
    if (inspector !== undefined) {
      const { profile } = await inspector.post('Profiler.stop');
      writeFileSync(join(dir, `${phase}.cpuprofile`), JSON.stringify(profile));
      inspector.disconnect();
      inspector = undefined;
    } else {
      inspector = new Session();
      inspector.connect();
      await inspector.post('Profiler.enable');
      await inspector.post('Profiler.setSamplingInterval', { interval: 200 });
      await inspector.post('Profiler.start');
    }
    return {};
  },

  /** Saves a file, as an editor does. */
  save({ file, text }) {
    const savedMs = Number(process.hrtime.bigint()) / 1e6;
    writeFileSync(file, text);
    return { savedMs };
  },

  async stop() {
    await plane.close();
    return {};
  },
});
