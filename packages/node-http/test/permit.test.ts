import { ConfigError, type Resource } from '@countersign/core';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { type Guarded, guarded, outcomeOf, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { agentAuth, getCaller, Permit, permit, type Step } from '../src/index.js';
import { codeOf } from './support.js';

const thing: Resource = { type: 'Thing', id: '1' };

function ofPath({ url }: Pick<IncomingMessage, 'url'>): Resource {
  return { type: 'Thing', id: url ?? '' };
}

const handler = vi.fn((_request: IncomingMessage, response: ServerResponse) => void response.end('done'));

// Two equivalent notations.
const styles: readonly (readonly [name: string, run: typeof awaited])[] = [
  ['awaited', awaited],
  ['with next', withNext],
];

async function awaited({ guard }: Guarded, permission: Step) {
  handler.mockClear();
  const auth = agentAuth(guard);
  return await serve(async (request, response) => {
    if (!(await auth(request, response)) || !(await permission(request, response))) return;
    handler(request, response);
  });
}

async function withNext({ guard }: Guarded, permission: Step) {
  handler.mockClear();
  const auth = agentAuth(guard);
  return await serve((request, response) => {
    void auth(request, response, () => permission(request, response, () => handler(request, response)));
  });
}

describe.each(styles)('permit, %s', (_name, run) => {
  it('asks policy about the action on the resource, records the decision, and runs the handler', async () => {
    const parts = await guarded();
    await using server = await run(parts, permit('thing.read', ofPath));
    expect((await send(server.url, signed({ target: '/things/a' }))).body).toBe('done');
    expect(parts.queries).toMatchObject([{ action: 'thing.read', resource: { type: 'Thing', id: '/things/a' } }]);
    await outcomeOf(parts);
    expect(parts.audit.records).toMatchObject([
      { phase: 'decision', decision: 'allow', action: 'thing.read' },
      { phase: 'outcome', outcome: { result: 'finished', status: 200 } },
    ]);
  });

  it('refuses with policy_denied, one record, no outcome, and without running the handler', async () => {
    const parts = await guarded();
    await using server = await run(parts, permit('thing.read', ofPath));
    const response = await send(server.url, signed({ target: '/forbidden' }));
    expect(response.status).toBe(403);
    expect(codeOf(response)).toBe('policy_denied');
    expect((await send(server.url, signed({ target: '/forbidden', method: 'HEAD' }))).status).toBe(403);
    expect(handler).not.toHaveBeenCalled();
    expect(parts.audit.records).toMatchObject([{ code: 'policy_denied' }, { code: 'policy_denied' }]);
  });

  it('refuses a missing scope, and D12 a resource that cannot be determined', async () => {
    const parts = await guarded({ onTrouble: () => {} });
    await using scoped = await run(parts, permit('thing.write', thing, { requires: 'repo:write' }));
    expect(codeOf(await send(scoped.url, signed()))).toBe('insufficient_scope');
    await using failing = await run(
      parts,
      permit('thing.read', () => Promise.reject(new Error('database down'))),
    );
    expect(codeOf(await send(failing.url, signed()))).toBe('resource_unresolved');
    await using nameless = await run(parts, async (request, response) => {
      const [, id = ''] = request.url?.split('/') ?? [];
      return await permit('thing.read', { type: 'Thing', id })(request, response);
    });
    expect(codeOf(await send(nameless.url, signed({ target: '/undefined' })))).toBe('policy_denied');
    expect(handler).not.toHaveBeenCalled();
  });

  it('leaves unmarked requests to the application in mixed traffic, unless it requires an agent', async () => {
    const parts = await guarded({ traffic: 'mixed' });
    await using closed = await run(parts, permit('thing.read', thing, { agentsOnly: true }));
    expect(codeOf(await send(closed.url, unsigned()))).toBe('signature_required');
    expect(handler).not.toHaveBeenCalled();
    await using open = await run(parts, permit('thing.read', thing));
    expect((await send(open.url, unsigned())).body).toBe('done');
  });
});

describe('permit', () => {
  it('refuses with not_authenticated when no agentAuth comes before it [G3]', async () => {
    handler.mockClear();
    const permission = permit('thing.read', thing);
    await using server = await serve((request, response) => {
      void permission(request, response, () => handler(request, response));
    });
    expect(codeOf(await send(server.url, signed()))).toBe('not_authenticated');
    expect(handler).not.toHaveBeenCalled();
  });

  it.each([
    ['no action', () => permit('', thing)],
    ['no resource', () => permit('thing.read', undefined as unknown as Resource)],
    ['a misspelt option', () => permit('thing.read', thing, { require: 'x' } as object)],
    ['@Permit without an action', () => Permit('', thing)],
  ])('throws a ConfigError immediately for %s [G5]', (_title, make) => {
    expect(make).toThrow(ConfigError);
  });
});

class Things {
  readonly ran: string[] = [];

  @Permit('thing.read', ofPath)
  async read(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.ran.push('read');
    response.end(getCaller(request)?.actor.id);
  }
}

/** The compiled form of `@Permit(…) read() {}` with `experimentalDecorators`. */
class Legacy {
  readonly ran: string[] = [];
  async read(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.ran.push('read');
    response.end(getCaller(request)?.actor.id);
  }
}
const descriptor = Object.getOwnPropertyDescriptor(Legacy.prototype, 'read') as TypedPropertyDescriptor<Legacy['read']>;
Permit('thing.read', ofPath)(Legacy.prototype, 'read', descriptor);
Object.defineProperty(Legacy.prototype, 'read', descriptor);

describe.each([
  ['@Permit', () => new Things()],
  ['@Permit as a legacy decorator', () => new Legacy()],
])('%s', (_name, create) => {
  it('asks before the method runs', async () => {
    const things = create();
    const { guard } = await guarded();
    const auth = agentAuth(guard);
    await using server = await serve((request, response) => {
      void auth(request, response, () => things.read(request, response));
    });
    expect((await send(server.url, signed())).body).toBe('agent-1');
    expect(codeOf(await send(server.url, signed({ target: '/forbidden' })))).toBe('policy_denied');
    expect(things.ran).toEqual(['read']);
  });

  it('does not run the method without its request, or without agentAuth', async () => {
    const things = create();
    await expect((things.read as () => Promise<void>)()).rejects.toThrow('its request and response');
    await using server = await serve((request, response) => void things.read(request, response));
    expect(codeOf(await send(server.url, signed()))).toBe('not_authenticated');
    expect(things.ran).toEqual([]);
  });
});
