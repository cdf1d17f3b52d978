import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { freePorts } from '../peers/free-ports.ts';
import { PeerProcess } from '../peers/peer-process.ts';
import { until } from '../until.ts';

export interface KubeBinaries {
  readonly apiserver: string;
  readonly etcd: string;
}

/** An object of Kubernetes, as far as tests look. */
export interface KubeObject {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
}

export interface TokenWishes {
  readonly audience?: string;
  /** The token is worth as much as this Pod exists. */
  readonly pod?: string;
  readonly namespace?: string;
}

const ADMIN_TOKEN = 'admin-of-a-test';
export const KUBE_ISSUER = 'https://kubernetes.default.svc';

/** A real API server over a real etcd, on free ports of the loopback, with nothing in it but what a test writes. There is no kubelet. */
export class KubeCluster implements AsyncDisposable {
  /** `https://127.0.0.1:16443`. */
  readonly url: string;
  readonly adminToken: string = ADMIN_TOKEN;
  /** PEM of what signed the API server's certificate. */
  readonly caPem: string;
  /** For files of what runs beside it; removed at the end. */
  readonly folder: string;
  /** Signs service account tokens; with it a test makes those that the API server would not: expired ones. */
  readonly tokenKey: KeyObject;
  private readonly agent: Agent;
  private readonly parts: AsyncDisposableStack;

  static async start({ apiserver, etcd }: KubeBinaries): Promise<KubeCluster> {
    await using parts = new AsyncDisposableStack();
    const folder = parts.adopt(mkdtempSync(join(tmpdir(), 'ripstop-kube-')), async (path) =>
      rmSync(path, { recursive: true, force: true }),
    );
    const [client, peer, secure] = (await freePorts(3)) as [number, number, number];
    const store = `http://127.0.0.1:${client}`;
    const peers = `http://127.0.0.1:${peer}`;
    parts.use(
      await PeerProcess.start({
        name: 'etcd',
        command: etcd,
        args: [
          ...['--data-dir', join(folder, 'etcd'), '--listen-client-urls', store, '--advertise-client-urls', store],
          ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers, '--initial-cluster', `default=${peers}`],
          ...['--unsafe-no-fsync', '--log-level', 'error'],
        ],
        ready: async () => (await fetch(`${store}/health`)).ok,
        timeoutMs: 30_000,
      }),
    );
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const file = (name: string, text: string | Buffer): string => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const certificates = join(folder, 'certificates');
    mkdirSync(certificates);
    const url = `https://127.0.0.1:${secure}`;
    const insecure = new Agent({ connect: { rejectUnauthorized: false } });
    parts.use(
      await PeerProcess.start({
        name: 'kube-apiserver',
        command: apiserver,
        args: [
          ...['--etcd-servers', store, '--cert-dir', certificates, '--secure-port', String(secure), '--bind-address', '127.0.0.1'],
          // A loopback address is refused as one to advertise.
          ...['--advertise-address', '10.255.255.254', '--endpoint-reconciler-type', 'none', '--service-cluster-ip-range', '10.96.0.0/16'],
          ...['--service-account-key-file', file('sa.pub', keys.publicKey.export({ type: 'spki', format: 'pem' }))],
          ...['--service-account-signing-key-file', file('sa.key', keys.privateKey.export({ type: 'pkcs1', format: 'pem' }))],
          ...['--service-account-issuer', KUBE_ISSUER, '--authorization-mode', 'RBAC', '--disable-admission-plugins', 'ServiceAccount'],
          ...['--token-auth-file', file('tokens.csv', `${ADMIN_TOKEN},admin,admin,"system:masters"\n`)],
        ],
        ready: async () => (await request(`${url}/readyz`, { dispatcher: insecure, headersTimeout: 2_000 })).statusCode === 200,
        timeoutMs: 60_000,
      }),
    );
    await insecure.close();
    const cluster = new KubeCluster(url, folder, readFileSync(join(certificates, 'apiserver.crt'), 'utf8'), keys.privateKey, parts.move());
    await until('the namespace default', () => cluster.exists('/api/v1/namespaces/default'));
    return cluster;
  }

  private constructor(url: string, folder: string, caPem: string, tokenKey: KeyObject, parts: AsyncDisposableStack) {
    this.url = url;
    this.folder = folder;
    this.caPem = caPem;
    this.tokenKey = tokenKey;
    this.parts = parts;
    this.agent = parts.adopt(new Agent({ connect: { ca: caPem } }), (agent) => agent.destroy());
  }

  create(path: string, object: object): Promise<KubeObject> {
    return this.ask('POST', path, object);
  }

  async remove(path: string): Promise<void> {
    await this.ask('DELETE', `${path}?gracePeriodSeconds=0`);
  }

  read(path: string): Promise<KubeObject> {
    return this.ask('GET', path);
  }

  createServiceAccount(name: string, namespace = 'default'): Promise<KubeObject> {
    return this.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  }

  /** What a kubelet would mount into a Pod of the account. */
  async token(account: string, { audience = 'istio-ca', pod, namespace = 'default' }: TokenWishes = {}): Promise<string> {
    const boundObjectRef = pod === undefined ? {} : { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: pod } };
    const { status } = await this.create(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
      spec: { audiences: [audience], expirationSeconds: 600, ...boundObjectRef },
    });
    return status!.token as string;
  }

  /** A kubeconfig of the administrator; answers its path. */
  kubeconfig(): string {
    const path = join(this.folder, 'kubeconfig.json');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server: this.url, 'certificate-authority-data': Buffer.from(this.caPem).toString('base64') } }],
      users: [{ name: 'admin', user: { token: ADMIN_TOKEN } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
      'current-context': 'test',
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.parts.disposeAsync();
  }

  private async exists(path: string): Promise<boolean> {
    return (await this.read(path)).metadata.name !== '';
  }

  private async ask(method: 'GET' | 'POST' | 'DELETE', path: string, object?: object): Promise<KubeObject> {
    const { statusCode, body } = await request(`${this.url}${path}`, {
      method,
      dispatcher: this.agent,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      ...(object === undefined ? {} : { body: JSON.stringify(object) }),
    });
    const text = await body.text();
    if (statusCode >= 300) throw new Error(`${method} ${path}: ${statusCode} ${text}`);
    return JSON.parse(text) as KubeObject;
  }
}
