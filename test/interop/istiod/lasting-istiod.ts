import { IstiodEnded, IstiodProcess } from './istiod-process.ts';

/** What is asked of istiod about a mesh. */
export type Istiod = Pick<IstiodProcess, 'ask' | 'judgeMeshes'>;

/** So many processes are asked one question. */
const PROCESSES = 3;

/**
 * istiod's generators, started again when they end: some of its races end it now and then, and some meshes always do. A question that
 * ended every process it was put to is answered with `IstiodEnded`.
 */
export class LastingIstiod implements Istiod {
  private readonly binary: string;
  private shared: IstiodProcess;

  /** `binary`: what peers/istiod.ts built. */
  constructor(binary: string) {
    this.binary = binary;
    this.shared = new IstiodProcess(binary);
  }

  ask(...question: Parameters<Istiod['ask']>): ReturnType<Istiod['ask']> {
    return this.put((peer) => peer.ask(...question));
  }

  judgeMeshes(...question: Parameters<Istiod['judgeMeshes']>): ReturnType<Istiod['judgeMeshes']> {
    return this.put((peer) => peer.judgeMeshes(...question));
  }

  close(): Promise<void> {
    return this.shared.close();
  }

  private async put<T>(question: (peer: IstiodProcess) => Promise<T>): Promise<T> {
    const asked = this.shared;
    try {
      return await question(asked);
    } catch (error) {
      if (!(error instanceof IstiodEnded)) throw error;
      if (this.shared === asked) this.shared = new IstiodProcess(this.binary);
      return this.alone(question, PROCESSES - 1);
    }
  }

  /** In a process of its own: what ends istiod would take the questions beside it along. */
  private async alone<T>(question: (peer: IstiodProcess) => Promise<T>, left: number): Promise<T> {
    const peer = new IstiodProcess(this.binary);
    try {
      return await question(peer);
    } catch (error) {
      if (!(error instanceof IstiodEnded) || left <= 1) throw error;
      return await this.alone(question, left - 1);
    } finally {
      await peer.close();
    }
  }
}
