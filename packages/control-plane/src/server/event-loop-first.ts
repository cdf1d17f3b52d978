import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { setFlagsFromString } from 'node:v8';

/** What `eventLoopFirst` changes; a parameter so that a test sees it. */
export interface ProcessControls {
  /** Version of V8, as in `process.versions.v8`. */
  readonly v8: string;
  /** How nice this process is. */
  nice(): number;
  /** Threads of this process; none where the system does not tell. */
  threads(): readonly { readonly id: number; readonly name: string }[];
  /** Sets how nice one thread is. Throws when the system does not allow it. */
  setNice(thread: number, nice: number): void;
  setFlag(flag: string): void;
}

/**
 * V8's helpers get a third of the event loop's share of a core that both want. Not less: the loop waits for them at the end of each
 * collection, and where other processes are busy as well the nicest ones would hardly run (measured with 10).
 */
const HELPER_NICER = 5;
const NICEST = 19;
/** `V8Worker` in Node 24, `node-V8Worker` in 26; in 22 threads have no names of their own. */
const HELPER = /V8Worker$/;
/** In these versions of V8, Node 24's, no young collection runs while the old generation is marked; before, that is off, later the flag is gone. */
const SEPARATE_PHASES = /^13\./;

/**
 * Tells V8 that nothing may hold up the event loop for long: for a process that does nothing but serve a control plane, to be called
 * once when it starts (`ripstop serve` and `ripstop dev` do). It concerns the whole process, so a control plane inside of somebody
 * else's program leaves it alone. Marking 100 MB on two cores otherwise takes a core from the loop, and all that was allocated
 * meanwhile is collected in one pause. Returns how many threads of V8 are nicer now, and what the system did not allow.
 */
export function eventLoopFirst(controls: ProcessControls = thisProcess): { readonly nicer: number; readonly problem?: string } {
  if (SEPARATE_PHASES.test(controls.v8)) controls.setFlag('--no-separate-gc-phases');
  let nicer = 0;
  try {
    const nice = Math.min(controls.nice() + HELPER_NICER, NICEST);
    for (const { id, name } of controls.threads()) {
      if (!HELPER.test(name)) continue;
      controls.setNice(id, nice);
      nicer++;
    }
  } catch (error) {
    return { nicer, problem: `V8's threads stay as urgent as the event loop: ${error instanceof Error ? error.message : String(error)}` };
  }
  return { nicer };
}

/** Only Linux has niceness of threads, and tells which there are. */
const thisProcess: ProcessControls = {
  v8: process.versions.v8,
  nice: () => getPriority(),
  threads: () => (process.platform === 'linux' ? readdirSync('/proc/self/task').map((id) => ({ id: Number(id), name: nameOf(id) })) : []),
  setNice: setPriority,
  setFlag: setFlagsFromString,
};

/** '' for one that has ended since. */
function nameOf(thread: string): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}
