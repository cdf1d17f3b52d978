import type { ControlPlaneEvent } from '@ripstop/control-plane';
import { type Finding, formatFinding } from '@ripstop/istio-api';

type ConfigurationEvent = Extract<ControlPlaneEvent, { readonly type: 'configuration' }>;

/** Turns the events of a control plane into lines for a terminal. Errors are repeated at each save, other findings are said once. */
export class EventLog {
  private readonly write: (line: string) => void;
  private readonly now: () => number;
  private said: ReadonlySet<string> = new Set();

  constructor(write: (line: string) => void, now: () => number) {
    this.write = write;
    this.now = now;
  }

  /** Prints an event; a plain function, to be handed over as `onEvent`. */
  readonly onEvent = (event: ControlPlaneEvent): void => {
    if (event.type === 'configuration') this.configuration(event);
    else this.say(event.type, describe(event));
  };

  /** One line: the time, what it is about, the news. */
  say(topic: string, text: string): void {
    const time = new Date(this.now()).toTimeString().slice(0, 8);
    this.write(`${time}  ${topic.padEnd(13)} ${text.replace(/\s*\n\s*/g, ' ')}`);
  }

  private configuration({ objects, files, findings }: ConfigurationEvent): void {
    const lines = findings.map((finding) => `${finding.severity} ${formatFinding(finding)}`);
    const fresh = lines.filter((line, index) => isError(findings[index]!) || !this.said.has(line));
    this.said = new Set(lines);
    const repeated = lines.length - fresh.length;
    const found = lines.length === 0 ? 'no findings' : count(lines.length, 'finding');
    this.say(
      'configuration',
      `${count(objects, 'object')} in ${count(files, 'file')} read, ${found}${repeated === 0 ? '' : `, ${repeated} of them as before`}`,
    );
    for (const line of fresh) this.say('', line);
  }
}

function describe(event: Exclude<ControlPlaneEvent, ConfigurationEvent>): string {
  switch (event.type) {
    case 'connected':
    case 'disconnected':
      return event.reason === '' ? shortName(event.node) : `${shortName(event.node)}: ${event.reason}`;
    case 'registered':
      return `${event.workload} ${event.addresses.join(', ')}`;
    case 'withdrawn':
      return `${event.workload}: ${event.reason}`;
    case 'refused':
      return `NACK of ${event.typeUrl.slice(event.typeUrl.lastIndexOf('.') + 1)} by ${shortName(event.node)}: ${event.reason}`;
    case 'issued':
      return `${event.spiffeId} serial ${event.serialNumber} until ${new Date(event.notAfterMs).toISOString()}, by ${event.by}`;
    case 'roots':
      return `trusted: ${event.fingerprints.map((print) => print.slice(0, 23)).join(', ')} (the first signs)`;
    case 'problem':
      return event.message;
  }
}

function isError({ severity }: Finding): boolean {
  return severity === 'error';
}

/** `sidecar~10.0.0.1~reviews-v1-x.default~…` is `reviews-v1-x.default` to a reader. */
function shortName(nodeId: string): string {
  return nodeId.split('~')[2] ?? nodeId;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}
