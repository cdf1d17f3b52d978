/** One line of the result table. */
export interface StepResult {
  readonly id: string;
  readonly title: string;
  readonly expected: string;
  readonly measured: string;
  readonly ok: boolean;
}

/** One thing that a step claims, with what was measured. */
export interface Check {
  readonly expected: string;
  readonly measured: string;
  readonly ok: boolean;
}

export function check(expected: string, ok: boolean, measured: string): Check {
  return { expected, measured, ok };
}

/** Prints the tour as it happens. Progress goes to stderr when stdout is for a JSON document. */
export class Report {
  readonly steps: StepResult[] = [];
  private readonly write: (text: string) => void;

  constructor(json: boolean) {
    const stream = json ? process.stderr : process.stdout;
    this.write = (text) => void stream.write(`${text}\n`);
  }

  line(text = ''): void {
    this.write(text);
  }

  begin(id: string, title: string): void {
    this.write(`\n━━ ${id}. ${title}`);
  }

  applied(file: string, yaml: string): void {
    this.write(`   applied ${file}`);
    for (const line of yaml.trimEnd().split('\n')) this.write(`   │ ${line}`);
  }

  progress(text: string): void {
    this.write(`   … ${text}`);
  }

  end(id: string, title: string, checks: readonly Check[]): void {
    for (const entry of checks) {
      this.write(`   ${entry.ok ? '✓' : '✗'} expected ${entry.expected}`);
      this.write(`     measured ${entry.measured}`);
    }
    this.steps.push({
      id,
      title,
      expected: checks.map((entry) => entry.expected).join('; '),
      measured: checks.map((entry) => entry.measured).join('; '),
      ok: checks.length > 0 && checks.every((entry) => entry.ok),
    });
  }

  get ok(): boolean {
    return this.steps.length > 0 && this.steps.every((step) => step.ok);
  }

  table(): void {
    this.write('\n   step                                                          result');
    for (const step of this.steps) this.write(`   ${`${step.id}. ${step.title}`.padEnd(62)}${step.ok ? '✓' : '✗'}`);
    this.write(`\n   ${this.steps.filter((step) => step.ok).length} of ${this.steps.length} steps hold`);
  }
}
