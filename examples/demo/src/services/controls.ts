import type { Mesh } from '@ripstop/node';
import { startTracing } from './tracing.ts';

/** What the demo asks of a service. */
interface Order {
  /** Told back when the order is in force. */
  readonly order: number;
  /** Percent of requests to fail, and with what. */
  readonly failPercent?: number;
  readonly failStatus?: number;
  readonly delayMs?: number;
  /** Rotate the workload certificate now. */
  readonly rotate?: true;
  /** Tell how many requests the handler saw. */
  readonly count?: true;
}

const state: { failPercent: number; failStatus: number; delayMs: number } = { failPercent: 0, failStatus: 500, delayMs: 0 };
let requests = 0;

/** `reviews-v2-1`: for logs and the x-served-by header. */
export const instance: string = `${process.env.RIPSTOP_SERVICE ?? 'service'}-${process.env.RIPSTOP_VERSION ?? 'v1'}-${process.env.DEMO_INSTANCE ?? '1'}`;

startTracing(instance);

/** Takes the demo's orders over IPC. Without a parent there are none. */
export function listenForControls(mesh: Mesh): void {
  process.on('message', (order: Order) => {
    obey(mesh, order).then(
      () => process.send?.({ done: order.order, requests }),
      (error: unknown) => process.stderr.write(`an order failed: ${error}\n`),
    );
  });
}

async function obey(mesh: Mesh, order: Order): Promise<void> {
  if (order.rotate) await mesh.rotateIdentity();
  else if (!order.count) Object.assign(state, order);
}

/** Waits as told; answers the status to fail with, or undefined to serve normally. Failures are spread evenly, not drawn. */
export async function misbehave(): Promise<number | undefined> {
  requests++;
  const { failPercent, failStatus, delayMs } = state;
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  const fails = Math.floor((requests * failPercent) / 100) > Math.floor(((requests - 1) * failPercent) / 100);
  return fails ? failStatus : undefined;
}

/** Tells the demo where this process listens. */
export function announce(socket: { readonly address: string; readonly port: number }, mesh: Mesh): void {
  process.send?.({ ready: true, address: `${socket.address}:${socket.port}`, admin: mesh.adminAddress, origin: mesh.health().config });
}
