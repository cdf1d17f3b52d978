import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { formatFinding, type MeshConfigSpec } from '@ripstop/istio-api';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { service } from '../testing/mesh.ts';
import { FileSource } from './file-source.ts';
import type { StoreState } from './object-store.ts';

const NEVER_MS = 2 ** 30;

let above: string;
let dir: string;
const open: FileSource[] = [];

beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), 'ripstop-source-'));
  dir = join(above, 'mesh');
  mkdirSync(dir);
});

afterEach(() => {
  for (const source of open.splice(0)) source.close();
  rmSync(above, { recursive: true });
  vi.useRealTimers();
});

function write(name: string, text: string): void {
  mkdirSync(dirname(join(dir, name)), { recursive: true });
  writeFileSync(join(dir, name), text);
}

/** A source that learns of changes by the file system's signs alone, unless `pollMs` is given. */
class Watched {
  readonly states: string[] = [];
  readonly problems: string[] = [];
  state: StoreState | undefined;

  constructor(path = dir, pollMs = NEVER_MS) {
    open.push(
      new FileSource({
        path,
        pollMs,
        onChange: (state) => {
          this.state = state;
          this.states.push(names(state));
        },
        onProblem: (message) => this.problems.push(message),
      }),
    );
  }

  async becomes(expected: string): Promise<void> {
    await expect.poll(() => this.states.at(-1), { interval: 5, timeout: 5000 }).toBe(expected);
  }
}

function names({ objects }: StoreState): string {
  return objects
    .map(({ metadata }) => metadata.name)
    .sort()
    .join(' ');
}

describe('a folder of YAML', () => {
  it('is read with its subfolders and all documents; other files, hidden ones and node_modules are left alone', () => {
    write('a.yaml', service('a') + service('b'));
    write('deep/er/c.yml', service('c'));
    write('d.json', JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'd' }, spec: { ports: [{ port: 80 }] } }));
    for (const name of ['notes.txt', '.hidden.yaml', '.git/x.yaml', 'node_modules/p/y.yaml', 'z.yaml~', '#z.yaml#'])
      write(name, service('no'));
    const watched = new Watched();
    expect(watched.states).toEqual(['a b c d']);
    expect(watched.state!.files).toBe(3);
  });

  it('says nothing about workloads and other kinds that are not the mesh’s', () => {
    write(
      'app.yaml',
      `${service('a')}---
apiVersion: apps/v1
kind: Deployment
metadata: { name: a }
spec: { replicas: 1 }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: a }
`,
    );
    const watched = new Watched();
    expect(watched.states).toEqual(['a a']); // The Deployment is known to the analysis.
    expect(watched.state!.findings.map(formatFinding)).toEqual([]);
  });

  it('is followed: new files, changes, files that go, new subfolders at once', async () => {
    const watched = new Watched();
    write('a.yaml', service('a'));
    await watched.becomes('a');
    write('sub/deep/b.yaml', service('b'));
    await watched.becomes('a b');
    write('sub/deep/c.yaml', service('c'));
    await watched.becomes('a b c');
    write('a.yaml', service('a2'));
    await watched.becomes('a2 b c');
    rmSync(join(dir, 'sub'), { recursive: true });
    await watched.becomes('a2');
    unlinkSync(join(dir, 'a.yaml'));
    await watched.becomes('');
  });

  it('is known to have changed as soon as somebody asks, whatever the file system has signalled', async () => {
    write('a.yaml', service('a'));
    const watched = new Watched();
    await expect.poll(() => open.at(-1)!.pending).toBe(false);
    open.at(-1)!.look();
    expect(open.at(-1)!.pending).toBe(false);
    write('b.yaml', service('b'));
    open.at(-1)!.look();
    expect(open.at(-1)!.pending).toBe(true);
    await watched.becomes('a b');
  });

  it('is read once for a burst of saves', async () => {
    const watched = new Watched();
    for (let turn = 0; turn < 20; turn++) write(`f${turn}.yaml`, service(`s${turn % 2}`, { namespace: `n${turn}` }));
    await expect.poll(() => watched.state!.objects.length).toBe(20);
    expect(watched.states).toHaveLength(2);
  });

  it('is followed when editors write beside and rename over, again and again', async () => {
    write('a.yaml', service('v0'));
    const watched = new Watched();
    for (const name of ['v1', 'v2', 'v3']) {
      write('a.yaml.tmp', service(name));
      renameSync(join(dir, 'a.yaml.tmp'), join(dir, 'a.yaml'));
      await watched.becomes(name);
    }
  });

  it('stays as it was while the folder is gone, and goes on when it comes back', async () => {
    write('a.yaml', service('a'));
    const watched = new Watched();
    renameSync(dir, join(above, 'away'));
    await expect.poll(() => watched.problems.join()).toMatch(/cannot read .*mesh .*the last good configuration stays/);
    expect(watched.states).toEqual(['a']);
    mkdirSync(dir);
    write('b.yaml', service('b'));
    await watched.becomes('b');
    write('c.yaml', service('c'));
    await watched.becomes('b c');
  });

  it('may be a mounted ConfigMap: links into a hidden folder that is exchanged as a whole', async () => {
    const publish = (version: string): void => {
      write(`..${version}/services.yaml`, service(version));
      symlinkSync(`..${version}`, join(dir, '..data_tmp'));
      renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
    };
    publish('first');
    symlinkSync('..data/services.yaml', join(dir, 'services.yaml'));
    const watched = new Watched();
    expect(watched.states).toEqual(['first']);
    publish('second');
    await watched.becomes('second');
  });

  it('may hold links to files elsewhere, links that lead nowhere and links that lead back', async () => {
    mkdirSync(join(above, 'elsewhere'));
    writeFileSync(join(above, 'elsewhere/b.yaml'), service('b'));
    write('sub/a.yaml', service('a'));
    symlinkSync(dir, join(dir, 'sub/loop'));
    symlinkSync('nowhere.yaml', join(dir, 'dangling.yaml'));
    symlinkSync(join(above, 'elsewhere/b.yaml'), join(dir, 'b.yaml'));
    const watched = new Watched();
    expect(watched.states).toEqual(['a b']);
    writeFileSync(join(above, 'elsewhere/b.yaml'), service('b2'));
    await watched.becomes('a b2');
  });
});

describe('one file', () => {
  it('is followed over saves that replace it, and its neighbours do not count', async () => {
    write('a.yaml', service('v0'));
    write('other.yaml', service('other'));
    const watched = new Watched(join(dir, 'a.yaml'));
    for (const name of ['v1', 'v2']) {
      write('a.yaml.tmp', service(name));
      renameSync(join(dir, 'a.yaml.tmp'), join(dir, 'a.yaml'));
      await watched.becomes(name);
    }
  });
});

describe('a save that is under way', () => {
  const POLL_MS = 2000;

  /** Time passes by hand; each poll is a look at the folder in the middle of things. */
  function polled(): Watched {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    const watched = new Watched(dir, POLL_MS);
    vi.advanceTimersByTime(POLL_MS - 1);
    return watched;
  }

  it.each([
    ['renamed the file away', () => renameSync(join(dir, 'a.yaml'), join(dir, 'a.yaml~'))],
    ['emptied the file', () => writeFileSync(join(dir, 'a.yaml'), '')],
  ])('removes nothing when the editor has just %s', (_what, begin) => {
    write('a.yaml', service('old'));
    const watched = polled();
    begin();
    vi.advanceTimersByTime(1);
    expect(watched.states).toEqual(['old']);
    write('a.yaml', service('new'));
    vi.advanceTimersByTime(POLL_MS);
    expect(watched.states).toEqual(['old', 'new']);
  });

  it('removes what is gone at the second look', () => {
    write('a.yaml', service('a'));
    write('b.yaml', service('b'));
    const watched = polled();
    unlinkSync(join(dir, 'a.yaml'));
    writeFileSync(join(dir, 'b.yaml'), '\n');
    vi.advanceTimersByTime(1 + 30);
    expect(watched.states).toEqual(['a b', '']);
    vi.advanceTimersByTime(3 * POLL_MS);
    expect(watched.states.at(-1)).toBe('');
    expect(watched.states.length).toBeLessThanOrEqual(3);
  });
});

describe('a broken document', () => {
  const RULE = (host: string, weight: number | string): string => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host} }
spec:
  hosts: [${host}]
  http:
    - route:
        - destination: { host: ${host} }
          weight: ${weight}
`;
  interface Routes {
    readonly http: readonly { readonly route: readonly { readonly weight: number }[] }[];
  }
  const weight = ({ state }: Watched, name: string): number => {
    const object = state!.objects.find(({ metadata }) => metadata.name === name)!;
    return (object.spec as Routes).http[0]!.route[0]!.weight;
  };

  it('leaves the last good version of that object in force; the other documents of the file change', async () => {
    write('all.yaml', RULE('a', 1) + RULE('b', 1));
    const watched = new Watched();
    write('all.yaml', RULE('a', 'much') + RULE('b', 2));
    await expect.poll(() => weight(watched, 'b')).toBe(2);
    expect(weight(watched, 'a')).toBe(1);
    const texts = watched.state!.findings.map(formatFinding);
    expect(texts.find((text) => text.startsWith('all.yaml:10 VirtualService default/a spec.http[0].route[0].weight'))).toBeDefined();
    expect(texts.find((text) => text.includes('default/a') && text.includes('stays in force'))).toBeDefined();
    write('all.yaml', RULE('a', 3) + RULE('b', 2));
    await expect.poll(() => weight(watched, 'a')).toBe(3);
    expect(watched.state!.findings.filter(({ code }) => code === 'RIPSTOP_LAST_GOOD')).toEqual([]);
  });

  it('whose text cannot be read leaves what its file held, and names the line', async () => {
    write('all.yaml', RULE('a', 1) + RULE('b', 1));
    const watched = new Watched();
    write('all.yaml', `${RULE('a', 2)}---\nkind: [VirtualService\n`);
    await expect.poll(() => weight(watched, 'a')).toBe(2);
    expect(weight(watched, 'b')).toBe(1);
    expect(watched.state!.findings.find(({ severity }) => severity === 'error')).toMatchObject({ position: { file: 'all.yaml' } });
  });

  it('has its last good version after a restart as well, from the state directory, except where the file holds a Secret', () => {
    const start = (): { state: StoreState; problems: string[] } => {
      const problems: string[] = [];
      let state: StoreState | undefined;
      const source = new FileSource({
        path: dir,
        stateDir: above,
        onChange: (next) => (state = next),
        onProblem: (text) => problems.push(text),
      });
      source.close();
      return { state: state!, problems };
    };
    const policy = (action: string): string =>
      `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { action: ${action}, rules: [{}] }\n`;
    const secret = 'apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData: { key: private }\n';
    write('a.yaml', policy('DENY'));
    write('b.yaml', `${secret}---\n${policy('DENY').replace('name: p', 'name: q')}`);
    expect(names(start().state)).toBe('p q s');
    expect(readFileSync(join(above, 'last-good-files.json'), 'utf8')).not.toContain('private');
    write('a.yaml', policy('DENNY'));
    const again = start();
    expect(again.state.objects.find(({ metadata }) => metadata.name === 'p')).toMatchObject({ spec: { action: 'DENY' } });
    expect(again.state.findings.map(({ code }) => code)).toContain('RIPSTOP_LAST_GOOD');
    expect(names(start().state)).toBe('p q s');
    writeFileSync(join(above, 'last-good-files.json'), '{"a.yaml": 1}');
    const damaged = start();
    expect(names(damaged.state)).toBe('q s');
    expect(damaged.problems).toEqual([expect.stringContaining('does not hold texts by file name')]);
  });

  it('of the mesh configuration that was never good is no reason to go on with the defaults', () => {
    write('a.yaml', service('a'));
    write('mesh.yaml', 'outboundTrafficPolicy: { mode: REGISTRY_ONLY }\nconnectTimeout: 2h\n');
    expect(() => new Watched()).toThrow(/cannot be used[\s\S]*mesh\.yaml:2 MeshConfig mesh spec\.connectTimeout: 2h is too long/);
    write('mesh.yaml', 'outboundTrafficPolicy: {');
    expect(() => new Watched()).toThrow(/the mesh configuration cannot be used[\s\S]*mesh\.yaml:/);
    write('mesh.yaml', `${service('b')}---\n{`);
    expect(new Watched().states).toEqual(['a b']);
  });

  it('of the mesh configuration leaves the last good version of it in force', async () => {
    write('mesh.yaml', 'outboundTrafficPolicy: { mode: REGISTRY_ONLY }\n');
    const watched = new Watched();
    const mode = (): unknown => (watched.state!.objects[0]!.spec as MeshConfigSpec).outboundTrafficPolicy?.mode;
    write('mesh.yaml', 'outboundTrafficPolicy: { mode: ALLOW_ANY }\ntrustDomain: ""\n');
    await expect.poll(() => watched.state!.findings.map(({ code }) => code)).toContain('RIPSTOP_LAST_GOOD');
    expect(mode()).toBe('REGISTRY_ONLY');
    write('mesh.yaml', 'outboundTrafficPolicy: { mode: ALLOW_ANY }\n');
    await expect.poll(mode).toBe('ALLOW_ANY');
  });

  it('that was never good is not in force', () => {
    write('all.yaml', RULE('a', 'much') + service('b'));
    expect(new Watched().states).toEqual(['b']);
  });

  it('twice defined: the first file in order wins, and the second is told', () => {
    write('1.yaml', RULE('a', 1));
    write('2.yaml', RULE('a', 2));
    const watched = new Watched();
    expect(weight(watched, 'a')).toBe(1);
    expect(watched.state!.findings.map(formatFinding).join()).toContain(
      '2.yaml:2 VirtualService default/a: is defined in 1.yaml:2 already',
    );
  });
});
