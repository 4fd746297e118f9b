import { setTimeout as wait } from 'node:timers/promises';
import { type TestApp, type TestKit, testKit } from '@countersign/testing';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Inject,
  Injectable,
  Param,
  Req,
  Scope,
} from '@nestjs/common';
import { APP_GUARD, REQUEST } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unsigned } from '../../../test/support/guarded.js';
import { ActingUser, actingUser, Caller, getCaller, Permit, type PermitRequest, type Subject } from '../src/index.js';
import { Api, type Platform, platforms } from './support.js';

/** Permits everything but the resource `forbidden`. */
const policy = {
  scopeVocabulary: [],
  decide: ({ resource }: { readonly resource: { readonly id: string } }) => ({
    decision: resource.id === 'forbidden' ? ('deny' as const) : ('allow' as const),
    cause: 'policy' as const,
    policies: [],
    policySet: 'test',
    errors: [],
  }),
};

@Injectable({ scope: Scope.REQUEST })
class OfRequest {
  constructor(@Inject(REQUEST) readonly request: object) {}
}

/** Waits between the reads, so that requests overlap. */
@Controller('baskets')
class Baskets {
  constructor(@Inject(OfRequest) readonly scoped: OfRequest) {}

  @Get(':id')
  @Permit('basket.read', ({ params }: PermitRequest) => ({ type: 'Basket', id: params['id'] }))
  async read(
    @Param('id') id: string,
    @Req() request: object,
    @Caller() caller: Caller | undefined,
    @ActingUser() user: Subject | undefined,
  ): Promise<object> {
    const names = [caller?.actor.id, user?.id];
    await wait(Math.random() * 10);
    return { id, names, later: namesIn(request), scoped: namesIn(this.scoped.request) };
  }
}

function namesIn(request: object): (string | undefined)[] {
  return [getCaller(request)?.actor.id, actingUser(request)?.id];
}

const asked: (string | undefined)[] = [];

@Injectable()
class Login implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    asked.push(actingUser(context.switchToHttp().getRequest<object>())?.id);
    return true;
  }
}

let t: TestKit;
beforeAll(async () => {
  t = await testKit({ policy, traffic: 'mixed' });
});
afterAll(() => t.close());

function start(platform: Platform, options: Parameters<typeof Api.start>[2] = {}): Promise<Api> {
  return Api.start(platform, [Baskets], { providers: [OfRequest], countersign: { guard: t.guard }, ...options });
}

const serverOf = (api: Api) => api.app.getHttpServer() as TestApp;

describe.each(platforms)('the caller and the acting user on %s', (platform) => {
  it('are those of each request when many run at the same time, also in providers of their scope [H1]', async () => {
    await using api = await start(platform);
    const senders = ['alice', 'bob', 'carol', undefined].map((user, index) => {
      const agent = t.agent(`${platform}-agent-${index}`, { capabilities: [] });
      return { agent: agent.id, user, client: user === undefined ? agent : agent.onBehalfOf(user, { scope: 'any' }) };
    });
    const calls = Array.from({ length: 40 }, (_, index) => senders[index % senders.length]!);
    const answers = await Promise.all(
      calls.map(async ({ client }, index) => (await client.fetch(serverOf(api), `/baskets/${index}`)).json()),
    );
    const names = calls.map(({ agent, user }) => (user === undefined ? [agent, null] : [agent, user]));
    expect(answers).toEqual(
      names.map((each, index) => ({ id: String(index), names: clean(each), later: each, scoped: each })),
    );
  });

  it('are known to every guard of the application, also to those that Nest runs first', async () => {
    asked.length = 0;
    const first = { module: class First {}, providers: [{ provide: APP_GUARD, useClass: Login }] };
    await using api = await start(platform, {
      countersign: { guard: t.guard },
      imports: [first],
      providers: [OfRequest, { provide: APP_GUARD, useClass: Login }],
      main: (app) => app.useGlobalGuards(new Login()),
    });
    const alice = t.agent(`${platform}-shopper`, { capabilities: [] }).onBehalfOf('alice', { scope: 'any' });
    expect((await alice.fetch(serverOf(api), '/baskets/1')).status).toBe(200);
    expect(asked).toEqual(['alice', 'alice', 'alice']);
    expect((await alice.fetch(serverOf(api), '/baskets/forbidden')).status).toBe(403);
    expect(asked).toHaveLength(3);
  });

  it('are undefined for people', async () => {
    await using api = await start(platform);
    const answer = await api.send(unsigned({ target: '/baskets/1' }));
    expect(JSON.parse(answer.body)).toEqual({
      id: '1',
      names: [null, null],
      later: [null, null],
      scoped: [null, null],
    });
  });

  it('refuses every attack of the test kit', async () => {
    await using api = await start(platform);
    const alice = t.agent(`${platform}-attacked`, { capabilities: [] }).onBehalfOf('alice', { scope: 'any' });
    for (const { name, send } of t.attacks.for(alice, { method: 'GET', path: '/baskets/1' })) {
      const { status } = await send(serverOf(api));
      if (name !== 'honest') expect(status, name).toBeGreaterThanOrEqual(400);
    }
  });
});

function clean(names: readonly (string | null)[]): (string | null)[] {
  return [...names];
}
