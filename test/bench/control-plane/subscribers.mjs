// Child of the bench: many subscribers on one core. Times are of the monotonic clock, which processes share.
import { setPriority } from 'node:os';
import { serveCommands } from '../process.mjs';
import { NAMESPACES } from './mesh-yaml.mjs';
import { Subscriber } from './subscriber.mjs';

// Clients have machines of their own. Here they share the control plane's cores, and come after it: what is asked is how long its loop
// stands still, not for how long the system lets others run. (The driver makes it SCHED_IDLE as well, where the system can.)
setPriority(10);

let subscribers = [];
let watch;
const now = () => Number(process.hrtime.bigint()) / 1e6;

serveCommands({
  /** Connects all at once; answers when each has all that it asks for. */
  async connect({ address, count, first }) {
    watch = undefined;
    const startedMs = now();
    const cpu = process.cpuUsage();
    let bytes = 0;
    const waiting = Promise.withResolvers();
    let left = count;
    const done = new WeakSet();
    const onResponse = (subscriber, response, body) => {
      bytes += body.length;
      watch?.(subscriber, response, body);
      if (!subscriber.complete || done.has(subscriber)) return;
      done.add(subscriber);
      if (--left === 0) waiting.resolve();
    };
    subscribers = Array.from({ length: count }, (_, index) => {
      const at = first + index;
      return new Subscriber({ address, name: `client-${at}`, namespace: `team-${at % NAMESPACES}`, onResponse });
    });
    const failed = setInterval(() => {
      const broken = subscribers.find(({ error }) => error !== undefined);
      if (broken !== undefined) waiting.reject(broken.error);
    }, 100);
    await waiting.promise.finally(() => clearInterval(failed));
    const { user, system } = process.cpuUsage(cpu);
    return { startedMs, finishedMs: now(), bytes, cpuMs: (user + system) / 1e3 };
  },

  /** Looks out for a change: every subscriber must get a response of the type with these bytes in it. Answers at once. */
  expect({ typeUrl, marker }) {
    const seen = new Set();
    const names = new Set();
    const waiting = Promise.withResolvers();
    let bytes = 0;
    watch = (subscriber, response, body) => {
      bytes += body.length;
      for (const name of response.names) names.add(name);
      for (const name of response.removed) names.add(`-${name}`);
      if (response.typeUrl !== typeUrl || !body.includes(marker)) return;
      seen.add(subscriber);
      if (seen.size === subscribers.length) waiting.resolve(now());
    };
    watch.result = waiting.promise.then((lastMs) => ({ lastMs, bytes: () => bytes, names }));
    return {};
  },

  /** When the last subscriber took it, and what else came meanwhile. */
  async taken() {
    const { lastMs, bytes, names } = await watch.result;
    return { lastMs, bytes: bytes(), names: [...names] };
  },

  /** The first subscriber says that it serves (or does not serve any more) an app. */
  register({ app, error }) {
    const sentMs = now();
    subscribers[0].register(app, error);
    return { sentMs };
  },

  disconnect() {
    for (const subscriber of subscribers) subscriber.close();
    subscribers = [];
    return {};
  },
});
