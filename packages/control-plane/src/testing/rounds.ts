/** In which rounds of the event loop something happens, by how often. */
export class Rounds {
  readonly counts: number[] = [];
  private open = false;

  count(): void {
    if (!this.open) {
      this.open = true;
      this.counts.push(0);
      setImmediate(() => (this.open = false));
    }
    this.counts[this.counts.length - 1]!++;
  }
}
