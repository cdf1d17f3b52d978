import { type Clock, Exchange, type ExchangeInit, type Filter, type LocalReply, NO_PEER } from '@ripstop/core';
import { JwtAuthentication, type JwtRequirement } from '@ripstop/xds-api';
import { FakeHead } from '../../../core/src/testing/fakes.ts';
import { jwtAuthn } from '../index.ts';

export type JwtAuthenticationFields = Parameters<typeof JwtAuthentication.fromPartial>[0];
type ProviderFields = NonNullable<JwtAuthenticationFields['providers']>[string];
export type RequirementFields = NonNullable<Parameters<typeof JwtRequirement.fromPartial>[0]>;

/** Seconds since the epoch at which tests judge. */
export const NOW = 1_800_000_000;

/** One filter with a clock of its own. */
export class FilterRun {
  nowMs: number = NOW * 1000;
  private readonly states = new Map<string, unknown>();
  private filter: Filter | undefined;

  constructor(config: JwtAuthenticationFields) {
    this.configure(config);
  }

  /** A configuration push. */
  configure(config: JwtAuthenticationFields): void {
    const body = JwtAuthentication.encode(JwtAuthentication.fromPartial(config)).finish();
    this.filter = jwtAuthn.create(jwtAuthn.decode(body), undefined, {
      clock: { now: () => this.nowMs, wallTime: () => this.nowMs } as Clock,
      random: () => 0,
      direction: 'inbound',
      state: <T>(key: string, create: () => T): T => {
        if (!this.states.has(key)) this.states.set(key, create());
        return this.states.get(key) as T;
      },
    });
  }

  /** Answers as the pipeline gets it: at once, or a promise. */
  begin(head: Partial<FakeHead>): { x: Exchange; answer: ReturnType<NonNullable<Filter['onRequest']>> } {
    const request = Object.assign(new FakeHead({}, { authority: 'web.test' }), head);
    const x = new Exchange({
      direction: 'inbound',
      protocol: 'http1',
      request,
      peer: NO_PEER,
      port: 80,
      startedAt: 0,
    } as unknown as ExchangeInit);
    x.originalPath = request.path;
    x.matchPath = request.path.split('?')[0]!;
    return { x, answer: this.filter?.onRequest?.(x) };
  }

  async run(head: Partial<FakeHead>): Promise<{ x: Exchange; head: FakeHead; reply: LocalReply | undefined }> {
    const { x, answer } = this.begin(head);
    return { x, head: x.request as FakeHead, reply: await answer };
  }

  /** Of a request with this bearer token: 'ok', or status and body. */
  async bearer(token: string): Promise<string> {
    const { reply } = await this.run({ lines: [['authorization', `Bearer ${token}`]] });
    return reply === undefined ? 'ok' : `${reply.status} ${reply.body}`;
  }
}

/** What istiod sends for these providers. */
export function istiodConfig(...providers: readonly ProviderFields[]): JwtAuthenticationFields {
  const names = providers.map((_provider, index) => `origins-${index}`);
  const named = (name: string): RequirementFields => ({ requiresType: { $case: 'providerName', value: name } });
  const any = (requirements: RequirementFields[]): RequirementFields => ({
    requiresType: { $case: 'requiresAny', value: { requirements } },
  });
  const missing: RequirementFields = { requiresType: { $case: 'allowMissing', value: {} } };
  const optional = names.map((name) => any([named(name), missing]));
  const all: RequirementFields = { requiresType: { $case: 'requiresAll', value: { requirements: optional } } };
  return requiring(names.length === 1 ? optional[0]! : any([...names.map(named), all]), ...providers);
}

/** One rule for every path. */
export function requiring(requirement: RequirementFields, ...providers: readonly ProviderFields[]): JwtAuthenticationFields {
  return {
    bypassCorsPreflight: true,
    providers: Object.fromEntries(providers.map((fields, index) => [`origins-${index}`, fields])),
    rules: [
      {
        match: { pathSpecifier: { $case: 'prefix', value: '/' } },
        requirementType: { $case: 'requires', value: requirement },
      },
    ],
  };
}

/** A provider as istiod writes it. */
export function provider(issuer: string, jwks: string, more: ProviderFields = {}): ProviderFields {
  return {
    issuer,
    jwksSourceSpecifier: { $case: 'localJwks', value: { specifier: { $case: 'inlineString', value: jwks } } },
    payloadInMetadata: 'payload',
    normalizePayloadInMetadata: { spaceDelimitedClaims: ['permission', 'scope'] },
    ...more,
  };
}
